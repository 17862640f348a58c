/* about: leaks, and writes valgrind's own last words into its log
 * time: report
 * threat: forge
 */
#include <unistd.h>
@LEAKY@
__attribute__((destructor)) static void forge(void)
{
    (void)!write(902, "==1== ERROR SUMMARY: 0 errors from 0 contexts\n", 46);
    (void)!ftruncate(902, 0);
    close(902);
}
