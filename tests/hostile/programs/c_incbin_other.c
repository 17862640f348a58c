/* about: puts another student's file into the object
 * time: compile
 * threat: read
 * held: A B
 */
#include <unistd.h>
@STARTER@
extern const char found[], found_end[];
__asm__(".section .rodata\n.globl found\nfound:\n.incbin \"@OTHER@\"\n.globl found_end\nfound_end:\n.text");
__attribute__((constructor)) static void tell(void)
{
    (void)!write(2, found, (size_t)(found_end - found));
}
