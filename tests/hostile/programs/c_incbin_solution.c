/* about: puts solution and suite into the object, and prints them when it runs
 * time: compile
 * threat: read
 * held: A B
 */
#include <unistd.h>
@STARTER@
extern const char found[], found_end[];
__asm__(".section .rodata\n.globl found\nfound:\n.incbin \"@KIT@/solutions/lab1_client_send/client_send.c\"\n"
        ".incbin \"@KIT@/labs/lab1_client_send/suite.c\"\n.globl found_end\nfound_end:\n.text");
__attribute__((constructor)) static void tell(void)
{
    (void)!write(2, found, (size_t)(found_end - found));
}
