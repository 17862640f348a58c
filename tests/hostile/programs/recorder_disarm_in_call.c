/* about: the same in the graded function, where the probe has armed them
 * time: run
 * threat: forge
 * score: nothing
 */
extern void recorder_arm(int) __attribute__((weak));
#define HOOK (recorder_arm ? recorder_arm(0) : (void)0)
@NAIVE@
