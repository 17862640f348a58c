/* about: a byte order mark, and lines that end as in Windows
 * time: compile
 * threat: escapes
 * score: right
 * bytes: crlf
 */
@RIGHT@
