package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/// Direct storage under watch.
final class CheckedStorage implements DirectStorage {
    private final DirectStorage delegate;
    private final CheckedBackend backend;
    private final Contract contract;
    // The backend's: it may hand out another object each time.
    private final Map<Location, Support> answers;

    CheckedStorage(DirectStorage delegate, CheckedBackend backend) {
        this.delegate = delegate;
        this.backend = backend;
        this.contract = backend.contract();
        this.answers = backend.supported();
    }

    @Override
    public Support support(StorageFile file) {
        Support support;
        try {
            support = delegate.support(file);
        } catch (RuntimeException | LinkageError e) {
            contract.violations().add(Check.BAD_SUPPORT, "support(" + file.location() + ") threw " + e);
            throw e;
        }
        contract.require(support != null, Check.NULL_ANSWER, "support(" + file.location() + ")");
        contract.require(!support.reason().isBlank(), Check.BAD_SUPPORT, "no reason for " + file.location());
        answers.put(file.location(), support);
        return support;
    }

    /// The last answer, so that watching asks no more than the caller does.
    private Support known(StorageFile file) {
        Support answer = answers.get(file.location());
        return answer == null ? support(file) : answer;
    }

    @Override
    public DirectFile open(StorageFile file) {
        DirectFile real = contract.call("open(" + file.location() + ")")
                .require(known(file).mode() != Mode.NONE, Check.UNSUPPORTED_FILE, BackendException.class,
                        () -> known(file).reason())
                .unless(backend::isClosed).answer(() -> delegate.open(file));
        long alignment = real.alignment();
        contract.require(alignment > 0 && Long.bitCount(alignment) == 1, Check.BAD_FILE_ALIGNMENT,
                alignment + " of " + file.location());
        return new OpenFile(real, file);
    }

    private final class OpenFile implements DirectFile {
        private final DirectFile real;
        private final StorageFile file;
        private final long length;
        private final AtomicBoolean closed = new AtomicBoolean();

        OpenFile(DirectFile real, StorageFile file) {
            this.real = real;
            this.file = file;
            this.length = file.length();
            backend.openedHere(this, "the direct file " + file.location());
        }

        @Override
        public long alignment() {
            return real.alignment();
        }

        @Override
        public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
            String what = "read of " + bytes + " bytes at " + fileOffset + " of " + file.location();
            CheckedCall call = contract.call(what)
                    .require(!closed.get(), Check.CLOSED_FILE_USED, IllegalStateException.class,
                            () -> "the file is closed")
                    .assume(fileOffset >= 0, Check.NEGATIVE_SIZE, () -> "offset " + fileOffset)
                    .unless(() -> closed.get() || backend.isClosed());
            if (target instanceof CheckedBuffer checked) {
                call.require(!checked.isClosed(), Check.CLOSED_BUFFER_USED, IllegalStateException.class,
                        checked::toString)
                        .require(targetOffset >= 0 && bytes >= 0 && bytes <= checked.size()
                                && targetOffset <= checked.size() - bytes, Check.OUTSIDE_BUFFER,
                                IndexOutOfBoundsException.class,
                                () -> bytes + " bytes at " + targetOffset + " of " + checked)
                        .unless(() -> checked.isClosed() || closed.get() || backend.isClosed());
                checked.takeOff();
            }
            long count;
            try {
                count = call.answer(() -> real.read(fileOffset, CheckedBuffer.real(target), targetOffset, bytes));
            } finally {
                if (target instanceof CheckedBuffer checked) {
                    checked.land();
                }
            }
            // A file that was cut meanwhile ends earlier; none ends in the middle of a read that brought all.
            contract.require(count >= 0 && count <= bytes && (count == 0 || fileOffset + count <= length),
                    Check.WRONG_COUNT, what + " brought " + count + "; the file has " + length);
            return count;
        }

        @Override
        public void close() {
            if (closed.compareAndSet(false, true)) {
                backend.ended(this);
            }
            real.close();
        }
    }
}
