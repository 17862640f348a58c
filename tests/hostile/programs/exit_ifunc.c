/* about: the resolver of an indirect function ends the program while it is being relocated
 * time: load
 * threat: exit
 */
@STARTER@
static void *resolve(void)
{
    __asm__ volatile("syscall" ::"a"(231L), "D"(0L));
    return 0;
}
int chosen(void) __attribute__((ifunc("resolve")));
int (*volatile chosen_pointer)(void) = chosen;
