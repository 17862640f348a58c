/* about: the assembler makes gigabytes by .fill and .rept
 * time: compile
 * threat: compiler
 */
__asm__(".data\n.fill 4000000000, 1, 7\n.text");
__asm__(".rept 1000000000\nnop\n.endr");
@RIGHT@
