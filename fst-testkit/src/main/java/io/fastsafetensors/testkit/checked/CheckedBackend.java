package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Device;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;

/// A backend under watch.
final class CheckedBackend implements Backend {
    private static final int PAGE = 4096;
    private static final int FRAMES = 4;
    private static final String PACKAGE = CheckedBackend.class.getPackageName();

    private final Backend delegate;
    private final String name;
    private final String delegateName;
    private final Contract contract;
    private final DeviceInfo info;
    private final TransferHints hints;
    private final Map<Object, String> open = new ConcurrentHashMap<>();
    private final Map<Location, DirectStorage.Support> supported = new ConcurrentHashMap<>();
    private volatile boolean closed;

    CheckedBackend(Backend delegate, String name, Device device, Contract contract) {
        this.delegate = delegate;
        this.name = name;
        this.contract = contract;
        this.delegateName = contract.call("name()").answer(delegate::name);
        this.info = contract.call("info()").answer(delegate::info);
        this.hints = contract.call("hints()").answer(delegate::hints);
        contract.require(info.device().equals(device), Check.OTHER_DEVICE,
                "asked for " + device + ", got " + info.device());
    }

    Contract contract() {
        return contract;
    }

    DeviceInfo device() {
        return info;
    }

    boolean isClosed() {
        return closed;
    }

    void opened(Object object, String what) {
        open.put(object, what);
    }

    /// As above, with the calls that opened it.
    /// What direct storage said of files.
    Map<Location, DirectStorage.Support> supported() {
        return supported;
    }

    void openedHere(Object object, String what) {
        open.put(object, what + " opened at " + StackWalker.getInstance().walk(frames -> frames
                .filter(frame -> !frame.getClassName().startsWith(PACKAGE)).limit(FRAMES)
                .map(StackWalker.StackFrame::toString).collect(Collectors.joining(" < "))));
    }

    void ended(Object object) {
        open.remove(object);
    }

    private CheckedCall call(String what) {
        return contract.call(what).require(!closed, Check.CLOSED_BACKEND_USED, IllegalStateException.class,
                () -> "the backend " + name + " is closed").unless(() -> closed);
    }

    @Override
    public String name() {
        contract.require(delegateName.equals(delegate.name()), Check.FACTS_CHANGED,
                "name() was " + delegateName + " and is " + delegate.name());
        return name;
    }

    @Override
    public DeviceInfo info() {
        contract.require(info.device().equals(delegate.info().device()), Check.FACTS_CHANGED,
                "info() was " + info + " and is " + delegate.info());
        return info;
    }

    @Override
    public TransferHints hints() {
        contract.require(hints.equals(delegate.hints()), Check.FACTS_CHANGED,
                "hints() were " + hints + " and are " + delegate.hints());
        return hints;
    }

    @Override
    public MemoryInfo memory() {
        MemoryInfo memory = contract.call("memory()")
                .assume(!closed, Check.CLOSED_BACKEND_USED, () -> "the backend " + name + " is closed")
                .unless(() -> closed).answer(delegate::memory);
        contract.require(memory.free() >= -1 && memory.total() >= -1
                && (memory.total() < 0 || memory.free() <= memory.total()), Check.MEMORY_SENSE, memory.toString());
        return memory;
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        String what = "allocate(" + bytes + ", " + alignment + ")";
        DeviceBuffer buffer = sized(call(what)
                .require(alignment > 0 && Long.bitCount(alignment) == 1, Check.BAD_ALIGNMENT, RuntimeException.class,
                        () -> "alignment " + alignment),
                bytes)
                .answer(() -> refusing(what, bytes, () -> delegate.allocate(bytes, alignment)));
        return new CheckedBuffer(contract.fresh(buffer, what), this, bytes, alignment);
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        String what = "allocateStaging(" + bytes + ")";
        StagingBuffer staging = sized(call(what), bytes)
                .answer(() -> refusing(what, bytes, () -> delegate.allocateStaging(bytes)));
        return new CheckedStaging(contract.fresh(staging, what), this, bytes);
    }

    private static CheckedCall sized(CheckedCall call, long bytes) {
        return call.require(bytes >= 0, Check.NEGATIVE_SIZE, RuntimeException.class, () -> bytes + " bytes");
    }

    private interface Allocation<T> {
        T make();
    }

    /// A refusal for want of memory has the size.
    private <T> T refusing(String what, long bytes, Allocation<T> allocation) {
        try {
            return allocation.make();
        } catch (OutOfDeviceMemoryException e) {
            contract.require(e.requested() == bytes, Check.WRONG_OUT_OF_MEMORY,
                    what + ": " + e.requested() + " bytes in the exception");
            throw e;
        }
    }

    @Override
    public CopyStream openCopyStream() {
        CopyStream stream = call("openCopyStream()").answer(delegate::openCopyStream);
        return new CheckedStream(contract.fresh(stream, "openCopyStream()"), this);
    }

    @Override
    public Fence fenceBehind(long nativeStream) {
        Fence fence = call("fenceBehind(" + Long.toHexString(nativeStream) + ")")
                .answer(() -> delegate.fenceBehind(nativeStream));
        return CheckedFence.ofAnotherStream(fence, this);
    }

    @Override
    public Kernels kernels() {
        boolean claimed = contract.claims(Capability.KERNELS);
        Kernels kernels = call("kernels()")
                .require(claimed, Check.UNCLAIMED_KERNELS, UnsupportedFeatureException.class,
                        () -> "no KERNELS claimed")
                .answer(() -> {
                    try {
                        return delegate.kernels();
                    } catch (UnsupportedFeatureException e) {
                        contract.require(!claimed, Check.CLAIM_BROKEN, "KERNELS are claimed, and " + e.getMessage());
                        throw e;
                    }
                });
        return new CheckedKernels(kernels, this);
    }

    @Override
    public Optional<DirectStorage> directStorage() {
        Optional<DirectStorage> storage = contract.call("directStorage()").unless(() -> closed)
                .answer(delegate::directStorage);
        contract.require(closed || storage.isPresent() == contract.claims(Capability.DIRECT_STORAGE),
                Check.CLAIM_BROKEN, "directStorage() is " + (storage.isPresent() ? "there" : "not there"));
        return storage.map(real -> new CheckedStorage(real, this));
    }

    @Override
    public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
        Optional<HostRegistration> registration = call("registerHost(" + memory + ")")
                .assume(memory.address() % PAGE == 0, Check.REGISTRATION_NOT_ALIGNED, memory::toString)
                .assume(memory.scope().isAlive(), Check.HOST_MEMORY_CLOSED, memory::toString)
                .answer(() -> delegate.registerHost(memory, readOnly));
        contract.require(registration.isPresent() == contract.claims(Capability.HOST_REGISTRATION),
                Check.CLAIM_BROKEN, "registerHost() is " + (registration.isPresent() ? "there" : "not there"));
        return registration.map(real -> new CheckedRegistration(real, memory, this));
    }

    @Override
    public void trim() {
        delegate.trim();
    }

    @Override
    public long keptBytes() {
        return delegate.keptBytes();
    }

    @Override
    public void close() {
        List<String> left = closed || contract.forwardsMisuse() ? List.of() : open.values().stream().sorted().toList();
        // Their memory goes with the backend, and may be somebody else's at once.
        open.keySet().forEach(object -> {
            if (object instanceof CheckedBuffer buffer) {
                buffer.giveUp();
            } else if (object instanceof CheckedStaging staging) {
                staging.giveUp();
            }
        });
        try {
            delegate.close();
        } finally {
            // Whatever it throws: the memory that a native call still uses is freed by a later close.
            closed = true;
        }
        contract.require(left.isEmpty(), Check.CLOSE_ORDER, name + " is closed and these are not: " + left);
    }
}
