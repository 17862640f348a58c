/* about: poisons, diagnostics and messages by pragmas, and options for the compiler
 * time: compile
 * threat: compiler
 */
#pragma GCC diagnostic error "-Wall"
#pragma GCC optimize("-O3,-fplugin=/tmp/x.so")
#pragma message "\033[2J::error::owned"
_Pragma("GCC dependency \"/etc/shadow\"")
@RIGHT@
#pragma GCC poison main send recv close
