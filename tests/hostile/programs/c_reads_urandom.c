/* about: puts /dev/urandom into the object
 * time: compile
 * threat: compiler
 */
__asm__(".incbin \"/dev/urandom\"");
@RIGHT@
