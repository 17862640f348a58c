/* about: leaves System V memory, semaphores and queues behind, POSIX ones and an abstract socket
 * time: after
 * threat: survive
 * held: A B
 */
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
@STARTER@
__attribute__((constructor)) static void leave(void)
{
    shmget(IPC_PRIVATE, 1 << 16, IPC_CREAT | 0666);
    semget(IPC_PRIVATE, 4, IPC_CREAT | 0666);
    msgget(IPC_PRIVATE, IPC_CREAT | 0666);
    shm_open("/@MARK@", O_CREAT | O_RDWR, 0666);
}
