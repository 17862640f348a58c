/* about: includes itself without an end
 * time: compile
 * threat: compiler
 */
#include __FILE__
@RIGHT@
