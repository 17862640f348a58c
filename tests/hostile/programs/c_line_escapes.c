/* about: by #line a file name with escape sequences, line breaks and commands to a GitHub log
 * time: compile
 * threat: escapes
 */
#line 1 "\033[2J\n::error file=suite.c::owned\n<script>owned()</script>/client_send.c"
#error "\033[31m"
