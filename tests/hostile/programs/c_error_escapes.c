/* about: an error whose text has raw escape sequences and commands to a GitHub log
 * time: compile
 * threat: escapes
 */
#error @ESC@[2J@ESC@]0;owned@BEL@ ::error::owned <script>owned()</script> ``` | =cmd() @ESC@[31m
