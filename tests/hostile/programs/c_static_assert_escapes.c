/* about: escape sequences in an assertion's text, which the compiler prints as they are
 * time: compile
 * threat: escapes
 */
_Static_assert(0, "\033[2J\r\n::error::owned\n\x9b" "31m <script>owned()</script> ]]> \xff");
