/* about: a send_all() of one send() switches the forced faults off by the recorder's own function
 * time: run
 * threat: forge
 * score: nothing
 */
@NAIVE@
extern void recorder_arm(int) __attribute__((weak));
__attribute__((constructor)) static void disarm(void)
{
    if (recorder_arm)
        recorder_arm(0);
}
