package io.fastsafetensors.core.load;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static java.nio.charset.StandardCharsets.US_ASCII;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.OpenOptions;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.HeaderReader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.header.ParsedTexts;
import io.fastsafetensors.core.memory.References;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.core.plan.PlannedFile.FileTransfer;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.plan.Planner;
import io.fastsafetensors.core.plan.Planner.Cuts;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.plan.StreamPlan;
import io.fastsafetensors.core.select.BackendSelector;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.core.storage.Storages;
import io.fastsafetensors.core.transfer.FileTransfers;
import io.fastsafetensors.core.transfer.MappedBuffer;
import io.fastsafetensors.core.transfer.MappedFiles;
import io.fastsafetensors.core.transfer.PathSelector;
import io.fastsafetensors.core.transfer.ReaderThreads;
import io.fastsafetensors.core.transfer.Readers;
import io.fastsafetensors.core.transfer.SlotPool;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// The device that a loader loads to, with what stays between loads: the open device, page-locked slots, registered
/// mappings, open storages, parsed headers, reader threads.
///
/// Reference-counted: the loader has one [Use] of it, and so has every operation for as long as anything that it began may
/// touch the device. The last one to be closed releases everything, so that a loader may be closed at any moment.
///
/// Block size, alignment, number of readers and transfer paths depend on the device alone and are decided here once;
/// with these, each load decides for its checkpoint.
public final class LoadTarget {
    /// What the host converts while it is still in the processor's cache; a slot of it lies on a huge page.
    private static final int CONVERTED_BLOCK = 2 << 20;

    /// The smallest block where several devices share the processor's cache: each copy costs a device some microseconds
    /// besides.
    private static final int SHARED_BLOCK = 2 << 20;

    /// What is there if the process runs at all.
    private static final long CERTAIN_BYTES = 256 << 10;

    /// Whether some loader of this process has begun [#prepare(Storages, boolean, AtomicBoolean)].
    private static final AtomicBoolean PREPARED = new AtomicBoolean();
    private static final int EXAMPLE_TENSORS = 24;
    /// Enough for the compiler to take notice.
    private static final int PREPARING_ROUNDS = 40;
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");

    private final References uses = new References();
    private final Resources resources;
    private final LoadOptions options;
    private final Device device;
    private final BackendChoice choice;
    private final SharedBackend backend;
    private final boolean pointers;
    /// Chooses the transfer path of each file.
    private final PathSelector router;
    /// How plans are made where neither memory nor other devices make blocks smaller; fixed, since slots have its size.
    ///
    /// A load may use smaller blocks; its slots are of this size all the same.
    private final PlanSettings settings;
    private final Readers readers;
    private final ReaderThreads threads;
    private final Storages storages;
    private final ParsedTexts parsed = ParsedTexts.ofLoader();
    /// Null where the host can address the device's memory: then nothing is staged.
    private final @Nullable SlotPool pool;
    /// Null unless mappings are asked for.
    private final @Nullable MappedFiles mappings;

    /// Slots are reserved at once, so that they are made while the first headers are read.
    ///
    /// @param resources what is to be released in the end, the other parameters among it; taken over when this returns
    private LoadTarget(LoadOptions options, BackendSelector.Selected selected, ReaderThreads threads, Storages storages,
            Resources resources) {
        this.options = options;
        this.threads = threads;
        this.storages = storages;
        this.device = selected.device();
        this.choice = selected.choice();
        this.backend = selected.backend();
        this.pointers = selected.capabilities().contains(Capability.POINTERS);
        this.router = new PathSelector(options, backend, selected.capabilities());
        boolean addressable = selected.capabilities().contains(Capability.HOST_ADDRESSABLE);
        this.settings = settingsOf(addressable);
        this.readers = new Readers(options, backend.get().hints(), addressable, settings.slotBytes());
        SlotPool slots = addressable ? null : SlotPool.open(backend, settings.slotBytes());
        if (slots != null) {
            resources.add(slots::release);
        }
        MappedFiles files = options.transferPath() == TransferPath.MAPPED ? MappedFiles.open(backend) : null;
        if (files != null) {
            resources.add(files::release);
        }
        this.pool = slots;
        this.mappings = files;
        if (slots != null && router.stagesByDefault()) {
            slots.reserve(readers.mostSlots());
        }
        this.resources = resources.handOver();
    }

    /// Picks a backend, opens its device, and begins to make slots if loads will want them.
    ///
    /// @return the first use of it
    public static Use open(LoadOptions options) {
        try (Resources resources = new Resources()) {
            Storages storages = Storages.open(options.open().storage());
            resources.add(storages);
            ReaderThreads threads = new ReaderThreads();
            resources.add(threads::end);
            // Opening a device takes long enough to hide this.
            AtomicBoolean opened = new AtomicBoolean();
            boolean mapped = options.transferPath() == TransferPath.MAPPED;
            threads.run(() -> prepare(storages, mapped, opened));
            BackendSelector.Selected selected;
            try {
                selected = BackendSelector.open(options);
            } finally {
                opened.set(true);
            }
            resources.add(selected.backend()::release);
            LoadTarget target = new LoadTarget(options, selected, threads, storages, resources);
            return target.new Use();
        }
    }

    /// Does ahead of a process's first load what every first load does once: binding the system's calls, loading the
    /// classes that parse headers and plan, which takes as long as reading gigabytes does. A device that takes long to
    /// open leaves time to have them compiled as well. What goes wrong is told at the first use.
    ///
    /// @param mapped whether loads may map files
    /// @param opened set when the device is open: nothing is repeated then
    private static void prepare(Storages storages, boolean mapped, AtomicBoolean opened) {
        try (SourceFiles files = SourceFiles.forLoad(storages)) {
            files.prepare();
            if (mapped) {
                MappedBuffer.prepare(files);
            }
            if (PREPARED.compareAndSet(false, true)) {
                Location example = Location.of(exampleFile());
                List<FileTransfer> paths = List.of(new FileTransfer(PlannedPath.STAGED, ""));
                PlanSettings settings = new PlanSettings(Pages.SIZE, 1 << 20, Optional.empty(), Selection.none());
                for (int round = 0; round == 0 || (round < PREPARING_ROUNDS && !opened.get()); round++) {
                    FileHeader header = files.file(example)
                            .reading(file -> HeaderReader.read(new FileBytes(file), OpenOptions.defaults()));
                    Planner.plan(List.of(header), paths, Selection.all(), settings, RankLayout.ALONE);
                }
            }
        } catch (RuntimeException e) {
            LOG.log(Level.DEBUG, "loads are not prepared", e);
        }
    }

    /// A file whose header has as many tensors as a layer of a model or two.
    ///
    /// The bytes of the tensors are there too, so that it passes every check.
    private static byte[] exampleFile() {
        StringBuilder text = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        for (int i = 0; i < EXAMPLE_TENSORS; i++) {
            text.append(",\"model.layers.").append(i)
                    .append(".weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[")
                    .append(4 * i).append(',').append(4 * i + 4).append("]}");
        }
        byte[] header = text.append('}').toString().getBytes(US_ASCII);
        return ByteBuffer.allocate(Long.BYTES + header.length + EXAMPLE_TENSORS * Float.BYTES).order(LITTLE_ENDIAN)
                .putLong(header.length).put(header).array();
    }

    /// Keeps the target open until it is closed. Thread-safe.
    ///
    /// One for each thing that must not lose the target; it is not shared between threads that close independently.
    public final class Use implements AutoCloseable {
        private final AtomicBoolean closed = new AtomicBoolean();

        private Use() {
        }

        /// Valid until this use is closed.
        public LoadTarget target() {
            return LoadTarget.this;
        }

        /// Another use, by something that this one has begun.
        ///
        /// @throws IllegalStateException if this one is closed
        public Use another() {
            if (closed.get()) {
                throw new IllegalStateException("the loader for " + device + " is closed");
            }
            return use();
        }

        /// Ends the use; the last one releases the device. Idempotent.
        @Override
        public void close() {
            if (closed.compareAndSet(false, true) && uses.release()) {
                resources.close();
            }
        }
    }

    /// A use of one's own, for what goes on when the caller's has ended.
    public Use use() {
        uses.retain("the loader for " + device);
        return new Use();
    }

    /// The user's options take precedence over the backend's hints.
    private PlanSettings settingsOf(boolean addressable) {
        TransferHints hints = backend.get().hints();
        long alignment = options.alignment() != 0 ? options.alignment() : device.isCpu() ? 0 : hints.tensorAlignment();
        int preferred = addressable && options.dtype().isPresent() ? Math.min(CONVERTED_BLOCK, hints.blockBytes())
                : hints.blockBytes();
        int block = options.blockBytes() != 0 ? options.blockBytes() : preferred;
        return new PlanSettings(alignment, (int) Math.min(1 << 30, Pages.ceil(block)), options.dtype(), options.keep());
    }

    /// The device as it was selected, with its index.
    public Device device() {
        return device;
    }

    /// Which backend serves the device and why no other.
    public BackendChoice choice() {
        return choice;
    }

    /// Valid as long as the caller has a use; what is to last longer retains it.
    public SharedBackend backend() {
        return backend;
    }

    /// Slots and streams; null if the host can address the device's memory.
    @Nullable
    SlotPool pool() {
        return pool;
    }

    /// Where readers run.
    public ReaderThreads threads() {
        return threads;
    }

    /// The files of one load, none open yet; the caller closes them.
    public SourceFiles sources() {
        return SourceFiles.forLoad(storages);
    }

    /// The headers and indexes of the files that were loaded before.
    public ParsedTexts parsed() {
        return parsed;
    }

    /// Whether the device's memory has addresses.
    public boolean hasPointers() {
        return pointers;
    }

    /// Where it is true there is no pool and nothing is staged.
    public boolean isHostAddressable() {
        return pool == null;
    }

    /// The transfer paths of some files of a checkpoint; the caller closes them.
    ///
    /// Opens files that were not open yet, to ask what they are able to do.
    ///
    /// @param whole whether they are loaded at once, rather than in batches
    public FileTransfers route(List<FileHeader> headers, SourceFiles sources, boolean whole) {
        return router.route(headers, sources, whole);
    }

    /// The plan of a whole load. Where memory is so tight that readers have no room for a block on the device, blocks are
    /// smaller.
    ///
    /// @param layout which part of each selected tensor is loaded
    /// @param deviceBudget the most device memory that the load may hold
    public ReadPlan plan(ParsedCheckpoint checkpoint, FileTransfers routing, Selection selection, RankLayout layout,
            long deviceBudget) {
        PlanSettings mine = settingsNow();
        ReadPlan plan = Planner.plan(checkpoint.headers(), routing.routes(), selection, mine, layout);
        int slots = readers.scratchSlots(plan);
        long room = deviceBudget - plan.deviceBytes();
        // Ranks that exchange blocks have the same ones.
        if (slots == 0 || room >= slots * plan.slotBytes() || layout.distribution() == Distribution.STRIPED) {
            return plan;
        }
        return Planner.plan(checkpoint.headers(), routing.routes(), selection,
                mine.withSlotsUpTo(Math.max(0, room) / slots), layout);
    }

    /// The settings of a load that begins now. Where other devices of this host are loaded to as well, blocks are
    /// smaller, so that the slots of all stay in the processor's cache: what leaves it goes through the host's memory
    /// twice more, which is what bounds several loads. The ranks of a group count alike on each of them.
    private PlanSettings settingsNow() {
        int ranks = options.group().isPresent() ? options.group().get().size() : 1;
        int devices = ranks > 1 ? ranks : SlotPool.devices();
        return pool == null || options.blockBytes() != 0 || devices < 2 ? settings
                : settings.withSlotsUpTo(Math.max(SHARED_BLOCK, settings.blockBytes() / devices) + 2L * Pages.SIZE);
    }

    /// The tensors of a stream.
    ///
    /// @param cuts which part of each selected tensor is loaded
    /// @param ownedAlone see [StreamPlan]
    public StreamPlan streamPlan(ParsedCheckpoint checkpoint, Selection selection, Cuts cuts, long ownedAlone) {
        return new StreamPlan(checkpoint.headers(), selection, settings, cuts, isHostAddressable(), ownedAlone);
    }

    /// How many readers, with how many blocks each, carry out a plan.
    ///
    /// @param routing the transfer paths of its files
    /// @param deviceBytes what its buffers take
    /// @throws io.fastsafetensors.error.BudgetException if the budgets have no room for it
    Readers.Crew crew(ReadPlan plan, FileTransfers routing, long deviceBytes, long deviceBudget) {
        return readers.crew(plan, routing, deviceBytes, deviceBudget);
    }

    /// How many slots of device memory a reader of a stream needs, with files routed like this.
    public int scratchSlots(StreamPlan plan, FileTransfers routing) {
        // Each batch takes mappings as far as there is room for them.
        return readers.scratchSlots(plan,
                isMapped() ? Set.of(PlannedPath.MAPPED, PlannedPath.STAGED, PlannedPath.DEQUANTIZED) : routing.paths());
    }

    /// The bytes of host memory that a load can take: the kernel hands out more than there is, and ends the process
    /// later. [Long#MAX_VALUE] where the device allocates what it promises, or nothing is known.
    public long availableBytes() {
        long free = isHostAddressable() ? backend.get().memory().free() : -1;
        return free < 0 ? Long.MAX_VALUE : free;
    }

    /// Refuses what would exceed the memory of the machine or the container.
    ///
    /// @throws OutOfDeviceMemoryException with what was requested and what is available
    public void requireAvailable(long bytes) {
        long available = bytes < CERTAIN_BYTES ? Long.MAX_VALUE : availableBytes();
        if (bytes > available) {
            throw new OutOfDeviceMemoryException(bytes, available,
                    "the memory that the machine and the container have available is what counts",
                    Where.backend(backend.get().name()));
        }
    }

    /// Whether mappings are asked for, which each batch takes for itself.
    public boolean isMapped() {
        return mappings != null;
    }

    /// Those of a stream or a rewrite; a whole load may have smaller blocks, see [#plan].
    public PlanSettings planSettings() {
        return settings;
    }

    /// Gives back the memory that is kept and that no load is using.
    public void trim() {
        Releases releases = new Releases().run(backend.get()::trim);
        if (pool != null) {
            releases.run(pool::trim);
        }
        if (mappings != null) {
            releases.run(mappings::trim);
        }
        parsed.clear();
        releases.finish();
    }
}
