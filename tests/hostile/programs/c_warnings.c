/* about: a flood of warnings, which compiles
 * time: compile
 * threat: compiler
 * score: right
 */
#if __INCLUDE_LEVEL__ < 14
#warning "owned owned owned owned owned owned owned owned owned owned owned owned owned owned owned owned owned"
#include __FILE__
#include __FILE__
#else
#endif
#if __INCLUDE_LEVEL__ == 0
@RIGHT@
#endif
