/* about: flags as words in the source: nobody may take them for options
 * time: compile
 * threat: compiler
 * score: right
 */
/* -fplugin=/tmp/x.so @/etc/shadow -Wl,--wrap=exit -specs=/tmp/specs */
@RIGHT@
