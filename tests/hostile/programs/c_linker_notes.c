/* about: sections that tell the linker and the loader something: an interpreter, an executable stack, a library to load
 * time: compile
 * threat: symbols
 */
@STARTER@
const char interpreter[] __attribute__((section(".interp"), used)) = "/tmp/@MARK@";
__asm__(".section .note.GNU-stack,\"x\",@progbits\n.text");
__asm__(".section .gnu.warning.send,\"a\"\n.ascii \"\\033[2Jowned\"\n.text");
__asm__(".section .preinit_array,\"aw\"\n.quad 1\n.text");
