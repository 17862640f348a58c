/* about: a line of almost 1 MiB, with an error at its end
 * time: compile
 * threat: compiler
 * bytes: long
 */
@RIGHT@
int last = @LONG@ +;
