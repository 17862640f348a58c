/* about: the same by the assembler
 * time: compile
 * threat: read
 */
@STARTER@
__asm__(".section .rodata\n.incbin \"/etc/shadow\"\n.text");
