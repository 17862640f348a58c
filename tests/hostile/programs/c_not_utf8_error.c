/* about: such bytes in the line that the first error stands in
 * time: compile
 * threat: escapes
 */
int @RAW@ = "@RAW@" @ESC@[31m;
