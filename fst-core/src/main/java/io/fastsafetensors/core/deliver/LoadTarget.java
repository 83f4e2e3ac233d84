package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.BackendChoice;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.place.MappedFiles;
import io.fastsafetensors.core.place.ReaderThreads;
import io.fastsafetensors.core.place.Readers;
import io.fastsafetensors.core.place.Router;
import io.fastsafetensors.core.place.Routing;
import io.fastsafetensors.core.place.SlotPool;
import io.fastsafetensors.core.plan.Cuts;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlanSettings;
import io.fastsafetensors.core.plan.Planner;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.select.BackendSelector;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.core.storage.Storages;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.types.Device;
import org.jspecify.annotations.Nullable;

/// The device that a loader loads to, with what stays between loads: the open device, page-locked slots, registered
/// mappings, open storages.
final class LoadTarget {
    /// What the host converts while it is still in the processor's cache; a slot of it lies on a huge page.
    private static final int CONVERTED_BLOCK = 2 << 20;

    private final LoadOptions options;
    private final Device device;
    private final BackendChoice choice;
    private final SharedBackend backend;
    private final Router router;
    private final PlanSettings settings;
    private final Readers readers;
    private final ReaderThreads threads = new ReaderThreads();
    private final Storages storages = Storages.open();
    private final @Nullable SlotPool pool;
    private final @Nullable MappedFiles mappings;

    private LoadTarget(LoadOptions options, BackendSelector.Selected selected) {
        this.options = options;
        this.device = selected.device();
        this.choice = selected.choice();
        this.backend = selected.backend();
        this.router = new Router(options, backend, selected.capabilities());
        boolean addressable = selected.capabilities().contains(Capability.HOST_ADDRESSABLE);
        this.settings = settingsOf(addressable);
        this.readers = new Readers(options, backend.get().hints(), addressable, settings.slotBytes());
        this.pool = addressable ? null : SlotPool.open(backend, settings.slotBytes());
        this.mappings = options.transferPath() == TransferPath.MAPPED ? MappedFiles.open(backend) : null;
    }

    /// Picks a backend, opens its device, and begins to make slots if loads will want them.
    static LoadTarget open(LoadOptions options) {
        BackendSelector.Selected selected = BackendSelector.open(options);
        LoadTarget target;
        try {
            target = new LoadTarget(options, selected);
        } catch (RuntimeException | Error e) {
            selected.backend().release();
            throw e;
        }
        if (target.pool != null && target.router.stagesByDefault()) {
            target.pool.reserve(target.readers.mostSlots());
        }
        return target;
    }

    /// The user's word first, the backend's hints after it.
    private PlanSettings settingsOf(boolean addressable) {
        TransferHints hints = backend.get().hints();
        long alignment = options.alignment() != 0 ? options.alignment() : device.isCpu() ? 0 : hints.tensorAlignment();
        int preferred = addressable && options.dtype().isPresent() ? Math.min(CONVERTED_BLOCK, hints.blockBytes())
                : hints.blockBytes();
        int block = options.blockBytes() != 0 ? options.blockBytes() : preferred;
        return new PlanSettings(alignment, (int) Math.min(1 << 30, Pages.ceil(block)), options.dtype());
    }

    Device device() {
        return device;
    }

    BackendChoice choice() {
        return choice;
    }

    SharedBackend backend() {
        return backend;
    }

    /// Slots and streams; null if the host can address the device's memory.
    @Nullable
    SlotPool pool() {
        return pool;
    }

    /// Where readers run.
    ReaderThreads threads() {
        return threads;
    }

    /// The files of one load, none open yet; the caller closes them.
    SourceFiles sources() {
        return SourceFiles.forLoad(storages);
    }

    boolean isHostAddressable() {
        return pool == null;
    }

    /// The ways of a checkpoint's files; the caller closes them.
    Routing route(ParsedCheckpoint checkpoint) {
        return router.route(checkpoint.headers(), checkpoint.sources());
    }

    /// @param cuts which part of each selected tensor is loaded
    ReadPlan plan(ParsedCheckpoint checkpoint, Routing routing, Selection selection, Cuts cuts) {
        return Planner.plan(checkpoint.headers(), routing.routes(), selection, settings, cuts);
    }

    /// How many readers, with how many blocks each, carry out a plan.
    ///
    /// @throws io.fastsafetensors.error.BudgetException if the budgets have no room for it
    Readers.Crew crew(ReadPlan plan, long deviceBudget) {
        return readers.crew(plan, deviceBudget);
    }

    /// Device memory that each reader needs besides the tensors' places, with files routed like this.
    long transientBytesPerReader(ReadPlan plan) {
        return readers.transientBytes(plan);
    }

    PlanSettings planSettings() {
        return settings;
    }

    /// Gives back the page-locked memory that no load is using.
    void trim() {
        if (pool != null) {
            pool.trim();
        }
        if (mappings != null) {
            mappings.trim();
        }
    }

    /// Lets go of the device; what was loaded there holds it itself.
    void close() {
        threads.end();
        storages.close();
        if (mappings != null) {
            mappings.release();
        }
        if (pool != null) {
            pool.release();
        }
        backend.release();
    }
}
