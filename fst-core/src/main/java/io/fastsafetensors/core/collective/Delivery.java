package io.fastsafetensors.core.collective;

import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.core.tensor.CoreTensor;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One rank's side of one tensor that goes from its owner to others: prepared before the ranks agree, so that nothing but
/// the transport can fail between them; then moved; then taken, or closed. Used by one thread.
///
/// An owner has a source and maybe parts that were gathered out of it; a rank that gets something has a result. A
/// rank may be both, or neither.
final class Delivery implements AutoCloseable {
    private final Request request;
    private final ProcessGroup group;
    private final SharedBackend backend;
    private final @Nullable CoreTensor source;
    /// The owner's hold on the source, from before the ranks agree until the bytes are moved: a close of the load meanwhile
    /// must not take away what others have been promised.
    private @Nullable SharedBuffer held;
    /// What this rank gets; null if it gets nothing, or the source itself.
    private @Nullable SharedBuffer result;
    /// The parts that are no runs of the source, gathered.
    private @Nullable SharedBuffer cut;
    /// What each rank gets, by rank, where the tensor is cut; on its owner alone.
    private final List<BufferSlice> parts = new ArrayList<>();

    /// A request of all ranks to the owner of a tensor.
    ///
    /// @param tensor the tensor as it was loaded: of the dtype that it has in memory
    /// @param owner who has it
    /// @param dim the dimension that it is cut along, −1 if it goes as a whole
    /// @param destination the one rank that gets it, −1 if all do
    record Request(TensorInfo tensor, int owner, int dim, int destination) {
        /// What a rank gets.
        Part part(int rank, int ranks) {
            return Part.of(tensor, dim, rank, ranks);
        }

        /// Whether a rank gets something.
        boolean reaches(int rank) {
            return destination < 0 || destination == rank;
        }

        /// Whether bytes go from rank to rank.
        boolean moves() {
            return tensor.byteSize() > 0 && destination != owner;
        }
    }

    /// Allocates what this rank gets, and cuts or copies what it gives.
    ///
    /// @param source the tensor on its owner, null elsewhere
    /// @param keepsSource whether the owner hands out the tensor itself rather than a copy
    /// @param stream of the device; what is queued on it comes before what [#move] does
    Delivery(Request request, ProcessGroup group, SharedBackend backend, @Nullable CoreTensor source,
            boolean keepsSource, CopyStream stream) {
        this.request = request;
        this.group = group;
        this.backend = backend;
        this.source = source;
        try {
            this.held = source == null ? null : source.holdToRead();
            if (request.reaches(group.rank()) && !keepsSource) {
                result = allocate(mine().byteSize());
            }
            if (source != null && request.dim() >= 0) {
                cutParts(source, stream);
            } else if (source != null && result != null) {
                stream.copy(notNull(held).buffer(), source.offset(), result.buffer(), 0, source.byteSize());
            }
        } catch (RuntimeException | Error e) {
            new Releases().run(this::close).because(e);
            throw e;
        }
    }

    private Part mine() {
        return request.part(group.rank(), group.size());
    }

    private SharedBuffer allocate(long bytes) {
        Backend device = backend.get();
        return new SharedBuffer(device.allocate(bytes, device.hints().tensorAlignment()), backend);
    }

    private static BufferSlice slice(CoreTensor tensor, SharedBuffer memory) {
        return new BufferSlice(memory.buffer(), tensor.offset(), tensor.byteSize());
    }

    /// The ranks' parts: where they are if they are runs of the tensor, else gathered behind one another.
    ///
    /// The gathered parts take the tensor's size once more until they have been moved.
    private void cutParts(CoreTensor tensor, CopyStream stream) {
        BufferSlice whole = slice(tensor, notNull(held));
        SharedBuffer gathered = null;
        long at = 0;
        for (int r = 0; r < group.size(); r++) {
            Part part = request.part(r, group.size());
            if (part.isContiguous()) {
                parts.add(whole.part(part.byteSize() == 0 ? 0 : part.firstByte(), part.byteSize()));
                continue;
            }
            if (gathered == null) {
                gathered = allocate(whole.byteSize());
                cut = gathered;
            }
            BufferSlice place = new BufferSlice(gathered.buffer(), at, part.byteSize());
            gather(whole, part, place, stream);
            parts.add(place);
            at += part.byteSize();
        }
    }

    /// Rows of sub-byte dtypes are gathered as bytes: a part that cuts a byte was refused before.
    private void gather(BufferSlice whole, Part part, BufferSlice place, CopyStream stream) {
        DType dtype = request.tensor().dtype();
        DType unit = dtype.isSubByte() ? DType.U8 : dtype;
        int bytes = unit.bits() / 8;
        Strided rows = new Strided(Shape.of(part.rows(), part.runBytes() / bytes), part.runStart() / bytes,
                new long[] {part.rowBytes() / bytes, 1});
        backend.get().kernels().gather(stream, whole, unit, rows, place, unit);
    }

    /// What goes from the owner to all others as it is, together with other such tensors; null where it goes by [#move].
    @Nullable
    RankSlice piece() {
        SharedBuffer mine = result;
        if (!request.moves() || request.dim() >= 0 || request.destination() >= 0) {
            return null;
        }
        return new RankSlice(request.owner(),
                source == null ? BufferSlice.of(notNull(mine).buffer()) : slice(source, notNull(held)));
    }

    /// Moves the bytes of what is no [#piece()]; all ranks are here. They are there when a later fence of the stream
    /// has passed.
    ///
    /// @return how many bytes came from another rank
    long move(CopyStream stream) {
        SharedBuffer mine = result;
        SharedBuffer memory = held;
        BufferSlice into = mine == null ? null : BufferSlice.of(mine.buffer());
        BufferSlice from = source == null ? null : slice(source, notNull(memory));
        if (!request.moves()) {
            return 0;
        }
        if (request.dim() >= 0) {
            group.scatter(from == null ? List.of() : parts, notNull(into), request.owner(), stream);
        } else if (from != null) {
            group.send(from, request.destination(), stream);
        } else if (into != null) {
            group.receive(into, request.owner(), stream);
        }
        return from == null && into != null ? into.byteSize() : 0;
    }

    private static <T> T notNull(@Nullable T value) {
        if (value == null) {
            throw new AssertionError("memory of a delivery that was not prepared");
        }
        return value;
    }

    /// What this rank gets, with a hold that the caller takes over; null if it gets nothing, or the tensor itself.
    @Nullable
    SharedBuffer take() {
        SharedBuffer taken = result;
        result = null;
        return taken;
    }

    Request request() {
        return request;
    }

    Shape shape() {
        return mine().shape();
    }

    /// Releases what was not taken.
    @Override
    public void close() {
        Releases releases = new Releases();
        for (SharedBuffer each : new SharedBuffer[] {held, result, cut}) {
            if (each != null) {
                releases.run(each::release);
            }
        }
        held = null;
        result = null;
        cut = null;
        releases.finish();
    }
}
