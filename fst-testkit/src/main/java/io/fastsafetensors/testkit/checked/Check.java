package io.fastsafetensors.testkit.checked;

/// One clause of the contract between the callers of a backend and the backend. RULES.md lists all of them.
public enum Check {
    /// The device was not listed.
    DEVICE_NOT_LISTED(Side.CALLER, "only devices that the probe lists are opened"),
    /// A size is negative.
    NEGATIVE_SIZE(Side.CALLER, "sizes are 0 or more"),
    /// An alignment is no power of two.
    BAD_ALIGNMENT(Side.CALLER, "an alignment is a power of two"),
    /// A range is outside its buffer.
    OUTSIDE_BUFFER(Side.CALLER, "a copy, a direct read and a kernel stay inside their buffers"),
    /// Source and target share bytes.
    OVERLAPPING_COPY(Side.CALLER, "source and target of a copy or kernel share no byte"),
    /// The backend is closed.
    CLOSED_BACKEND_USED(Side.CALLER, "a closed backend is not used"),
    /// The buffer is closed.
    CLOSED_BUFFER_USED(Side.CALLER, "a closed buffer is not used"),
    /// The staging memory is closed.
    CLOSED_STAGING_USED(Side.CALLER, "closed staging memory is not used"),
    /// The stream is closed.
    CLOSED_STREAM_USED(Side.CALLER, "a closed stream is not used"),
    /// The fence is closed.
    CLOSED_FENCE_USED(Side.CALLER, "a closed fence is neither asked nor awaited"),
    /// The direct file is closed.
    CLOSED_FILE_USED(Side.CALLER, "a closed direct file is not read"),
    /// Two threads use one stream at once.
    STREAM_SHARED(Side.CALLER, "a stream is used by one thread at a time"),
    /// Host memory was closed before the call.
    HOST_MEMORY_CLOSED(Side.CALLER, "host memory of a copy is alive"),
    /// Host memory that the calling thread may not touch.
    HOST_MEMORY_OF_ANOTHER_THREAD(Side.CALLER, "host memory of a copy is the calling thread's to touch"),
    /// A copy into read-only memory.
    READ_ONLY_TARGET(Side.CALLER, "the target of a copy to the host is writable"),
    /// Arrays and confined memory: legal for programs, not for core.
    HOST_MEMORY_NOT_SHARED(Side.CALLER, "core copies native memory that every thread may touch"),
    /// Host memory was closed before a fence showed that its copy is done.
    HOST_MEMORY_CLOSED_IN_FLIGHT(Side.CALLER, "host memory stays alive until a later fence has passed"),
    /// Staging memory was written before a fence showed that its copy is done.
    STAGING_CHANGED_IN_FLIGHT(Side.CALLER, "a slot is not filled before a fence behind its copy has passed"),
    /// Staging memory was closed before a fence showed that its copy is done.
    STAGING_CLOSED_IN_FLIGHT(Side.CALLER, "a slot is not closed before a fence behind its copy has passed"),
    /// A buffer was closed before a fence showed that its copies are done.
    BUFFER_CLOSED_IN_FLIGHT(Side.CALLER, "a buffer is not closed before a fence behind its copies has passed"),
    /// A registration was closed before a fence showed that its copies are done.
    REGISTRATION_CLOSED_IN_FLIGHT(Side.CALLER,
            "a registration is not closed before a fence behind copies from its memory has passed"),
    /// Memory was unmapped while it was registered.
    MEMORY_CLOSED_WHILE_REGISTERED(Side.CALLER, "registered memory stays alive until its registration is closed"),
    /// Memory to register does not start at a page.
    REGISTRATION_NOT_ALIGNED(Side.CALLER, "memory to register starts at a page"),
    /// A stream of another backend.
    FOREIGN_STREAM(Side.CALLER, "a backend's kernels get its own streams"),
    /// A buffer that another backend allocated.
    FOREIGN_BUFFER(Side.CALLER, "copies and kernels get buffers of their own device"),
    /// Sizes that do not fit the elements.
    KERNEL_SIZES(Side.CALLER, "slices of a kernel have exactly the bytes of their elements"),
    /// A view that leaves its source.
    VIEW_OUTSIDE_SOURCE(Side.CALLER, "a gathered view stays inside its source"),
    /// A dtype of less than a byte in a gather.
    SUB_BYTE_GATHER(Side.CALLER, "dtypes of less than a byte are not gathered"),
    /// A pair that the kernels do not support.
    UNSUPPORTED_PAIR(Side.CALLER, "kernels are asked for supported pairs only"),
    /// Kernels although they are not claimed.
    UNCLAIMED_KERNELS(Side.CALLER, "kernels are asked for where the probe claims them"),
    /// Direct reads of a file that has none.
    UNSUPPORTED_FILE(Side.CALLER, "only files that direct storage supports are opened for direct reads"),
    /// The backend was closed before what it allocated.
    CLOSE_ORDER(Side.CALLER, "a backend is closed after everything that was allocated there"),

    /// Wrong arguments were accepted.
    MISUSE_ACCEPTED(Side.BACKEND, "a call that the contract refuses is refused"),
    /// Wrong arguments were refused with another exception than the contract names.
    WRONG_REFUSAL(Side.BACKEND, "a refusal is the exception that the contract names"),
    /// A legal call threw what no caller expects.
    UNDECLARED_EXCEPTION(Side.BACKEND, "a legal call throws nothing but FstException"),
    /// An exception does not say which backend it comes from.
    UNNAMED_BACKEND(Side.BACKEND, "a BackendException names the backend"),
    /// Null.
    NULL_ANSWER(Side.BACKEND, "no answer is null"),
    /// The probe threw.
    PROBE_THROWS(Side.BACKEND, "probe() never throws"),
    /// The probe changed its mind.
    PROBE_CHANGED(Side.BACKEND, "every probe says the same"),
    /// Name, facts or hints changed.
    FACTS_CHANGED(Side.BACKEND, "name, facts and hints of a backend do not change"),
    /// Another device than was asked for.
    OTHER_DEVICE(Side.BACKEND, "a backend is the device that was opened"),
    /// Free above total, or below −1.
    MEMORY_SENSE(Side.BACKEND, "free memory is −1 to total"),
    /// Another size than was asked for.
    WRONG_SIZE(Side.BACKEND, "buffers, staging memory and registrations have the size that was asked for"),
    /// Another alignment than was asked for.
    WRONG_ALIGNMENT(Side.BACKEND, "addresses have the alignment that was asked for; staging memory has 4096"),
    /// Memory that is live belongs to two allocations.
    SHARED_MEMORY(Side.BACKEND, "live allocations share no byte and no handle"),
    /// A segment or pointer against the claims.
    CLAIM_BROKEN(Side.BACKEND, "segments, pointers, kernels, direct storage and registrations are there where claimed"),
    /// Handle and segment are different memory.
    SEGMENT_ELSEWHERE(Side.BACKEND, "a segment starts at its handle's pointer, and has its buffer's size"),
    /// A closed buffer still answers.
    CLOSED_BUFFER_ANSWERS(Side.BACKEND, "a closed buffer answers with IllegalStateException"),
    /// A segment outlives its owner.
    SEGMENT_OUTLIVES_OWNER(Side.BACKEND, "segments end with their buffer or staging memory"),
    /// One object handed out twice.
    OBJECT_TWICE(Side.BACKEND, "each allocation and stream is an object of its own"),
    /// Staging memory that some thread cannot use.
    STAGING_NOT_SHARED(Side.BACKEND, "staging memory is native, writable, and every thread's"),
    /// An out-of-memory refusal with another size.
    WRONG_OUT_OF_MEMORY(Side.BACKEND, "OutOfDeviceMemoryException has the size that was asked for"),
    /// A passed fence that has not passed.
    FENCE_WENT_BACK(Side.BACKEND, "a fence that has passed stays passed"),
    /// A fence passed before an earlier one of its stream.
    FENCES_OUT_OF_ORDER(Side.BACKEND, "fences of one stream pass in order"),
    /// A stream was closed with work under way.
    STREAM_CLOSED_EARLY(Side.BACKEND, "closing a stream waits for its work"),
    /// More or fewer bytes than there are.
    WRONG_COUNT(Side.BACKEND, "a direct read brings what was asked for, less only at the end of the file"),
    /// `support` threw or gave no reason.
    BAD_SUPPORT(Side.BACKEND, "direct storage says of every file whether it can, and why, and throws nothing"),
    /// An alignment that is no power of two.
    BAD_FILE_ALIGNMENT(Side.BACKEND, "a direct file's alignment is a power of two"),
    /// Equal dtypes that are not supported, or another answer than before.
    BAD_PAIRS(Side.BACKEND, "equal dtypes are supported, and supports() does not change its mind");

    /// The side that broke it.
    public enum Side {
        /// Who calls the backend: core, or a test.
        CALLER,
        /// The backend.
        BACKEND
    }

    private final Side side;
    private final String clause;

    Check(Side side, String clause) {
        this.side = side;
        this.clause = clause;
    }

    /// Who is to blame if it is violated.
    public Side side() {
        return side;
    }

    /// What must hold.
    public String clause() {
        return clause;
    }
}
