/* about: includes itself twice a level, so that the depth allowed takes for ever
 * time: compile
 * threat: compiler
 */
#if __INCLUDE_LEVEL__ < 60
#include __FILE__
#include __FILE__
#endif
@RIGHT@
