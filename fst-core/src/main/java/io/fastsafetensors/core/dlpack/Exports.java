package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.core.memory.LeakDetector;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.ffm.Callback;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The DLPack structs that consumers have, and the one function that deletes them.
///
/// They are found by their address and not by what they hold (`manager_ctx` is null): a consumer that deletes one twice
/// passes memory that may not be read any more. A struct's memory is the garbage collector's, so that its address does
/// not come back while anybody in Java still knows it.
final class Exports {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");
    private static final Map<Long, Export> OUT = new ConcurrentHashMap<>();
    private static long deleter;

    /// One struct that is out.
    static final class Export {
        private final ManagedTensor struct;
        private final @Nullable SharedBuffer buffer;
        private volatile LeakDetector.@Nullable Ticket ticket;

        /// @param buffer with a hold, which ends with the struct; or null
        Export(ManagedTensor struct, @Nullable SharedBuffer buffer) {
            this.struct = struct;
            this.buffer = buffer;
        }

        ManagedTensor struct() {
            return struct;
        }

        /// What to close when the struct is deleted.
        void watchedBy(LeakDetector.Ticket watch) {
            ticket = watch;
        }

        void endWatch() {
            LeakDetector.Ticket watch = ticket;
            if (watch != null) {
                watch.close();
            }
        }

        boolean isOut() {
            return OUT.get(struct.address()) == this;
        }

        /// Deletes the struct and releases its memory, unless that has been done. From any thread.
        boolean delete() {
            if (!OUT.remove(struct.address(), this)) {
                return false;
            }
            Releases releases = new Releases().run(this::endWatch);
            if (buffer != null) {
                releases.run(buffer::release);
            }
            releases.finish();
            return true;
        }
    }

    private Exports() {
    }

    /// The address of `void (*deleter)(struct DLManagedTensor… *self)`, the same for all structs of the process.
    ///
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if native access is denied
    static synchronized long deleter() {
        if (deleter == 0) {
            deleter = Callback.of("the deleter of a DLPack struct", Exports::delete);
        }
        return deleter;
    }

    static void add(Export export) {
        OUT.put(export.struct().address(), export);
    }

    /// How many structs are out.
    static int count() {
        return OUT.size();
    }

    private static void delete(long address) {
        Export export = OUT.get(address);
        boolean deleted;
        try {
            deleted = export != null && export.delete();
        } catch (RuntimeException | Error e) {
            // What is thrown into native code ends the process.
            LOG.log(Level.WARNING, "memory that a consumer of DLPack gave back could not be freed", e);
            deleted = true;
        }
        if (!deleted) {
            LOG.log(Level.WARNING, "the deleter of the DLPack struct at 0x" + Long.toHexString(address)
                    + " was called for a struct that is not there: a consumer deletes it twice, or it was closed"
                    + " without consumed() though it had been passed on");
        }
    }
}
