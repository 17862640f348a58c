/* about: GBK, a NUL and other bytes that are no text
 * time: compile
 * threat: escapes
 * score: right
 */
@RIGHT@
/* @RAW@ */
static const char gbk[] __attribute__((used)) = "@RAW@";
