// GB/s of MPI_Bcast of argv[1] bytes on huge pages, each round from barrier to barrier: what the transport mpi is compared with.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv) {
    int rank, provided;
    if (argc != 2 || MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
        return 1;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    long bytes = atol(argv[1]);
    char *memory = aligned_alloc(2 << 20, bytes);
    if (memory == NULL) {
        return 1;
    }
    madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, rank, bytes);
    for (int round = 0; round < 60; round++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double start = MPI_Wtime();
        MPI_Bcast(memory, (int) bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
        MPI_Barrier(MPI_COMM_WORLD);
        if (rank == 0) {
            printf("broadcast %.3f GB/s\n", bytes / 1e9 / (MPI_Wtime() - start));
        }
    }
    free(memory);
    return MPI_Finalize();
}
