/* about: an array of 3 GB with a first value: an object file of 3 GB
 * time: compile
 * threat: compiler
 */
char large[3UL << 30] = {1};
@RIGHT@
