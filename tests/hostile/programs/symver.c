/* about: versions and weak aliases by assembler, to stand before libc's send()
 * time: load
 * threat: symbols
 */
@STARTER@
long my_send(int fd, const void *data, unsigned long len, int flags)
{
    (void)fd, (void)data, (void)flags;
    return (long)len;
}
__asm__(".globl send\n.set send, my_send\n.globl __send\n.set __send, my_send");
