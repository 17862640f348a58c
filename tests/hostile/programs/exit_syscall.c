/* about: exit_group by an instruction of its own, in the graded function
 * time: run
 * threat: exit
 */
#define HOOK __asm__ volatile("syscall" ::"a"(231L), "D"(0L))
@HOOKED@
