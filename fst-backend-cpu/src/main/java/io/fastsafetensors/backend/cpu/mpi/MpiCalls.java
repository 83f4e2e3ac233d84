package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.backend.cpu.mpi.ffm.Mpi;
import io.fastsafetensors.error.BackendException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.ToIntFunction;

/// Calls of the library, one at a time whatever the number of threads, and the one place where a status becomes an
/// exception. Thread-safe.
final class MpiCalls {
    private final Mpi mpi;
    private final ReentrantLock oneAtATime = new ReentrantLock();

    MpiCalls(Mpi mpi) {
        this.mpi = mpi;
    }

    /// @param name the function's name
    /// @param call returns its status
    /// @throws BackendException if it fails
    void run(String name, ToIntFunction<Mpi> call) {
        oneAtATime.lock();
        try {
            int status = call.applyAsInt(mpi);
            if (status != Mpi.MPI_SUCCESS) {
                throw BackendException.ofStatus(MpiProvider.NAME, "libmpi", name, status, textOf(status));
            }
        } finally {
            oneAtATime.unlock();
        }
    }

    /// As [#run], for functions that give back a number.
    int number(String name, IntFunction call) {
        int[] value = new int[1];
        run(name, mpi -> call.status(mpi, value));
        return value[0];
    }

    interface IntFunction {
        int status(Mpi mpi, int[] value);
    }

    long world() {
        return mpi.MPI_COMM_WORLD();
    }

    private String textOf(int status) {
        String[] text = {""};
        boolean known = mpi.MPI_Error_string(status, text) == Mpi.MPI_SUCCESS;
        return known ? text[0] : "a status that the library has no text for";
    }
}
