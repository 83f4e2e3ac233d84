package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.storage.StorageFile;
import java.util.Objects;

/// Direct storage that fails and counts.
final class FaultyStorage implements DirectStorage {
    private final DirectStorage delegate;
    private final String backend;
    private final FaultPlan plan;
    private final OpenObjects objects;

    FaultyStorage(DirectStorage delegate, String backend, FaultPlan plan, OpenObjects objects) {
        this.delegate = delegate;
        this.backend = backend;
        this.plan = plan;
        this.objects = objects;
    }

    @Override
    public Support support(StorageFile file) {
        plan.before(Operation.DIRECT_SUPPORT, backend, 0);
        return delegate.support(file);
    }

    @Override
    public DirectFile open(StorageFile file) {
        plan.before(Operation.DIRECT_OPEN, backend, 0);
        DirectFile real = delegate.open(file);
        Runnable closed = plan.once(Operation.CLOSE_DIRECT_FILE, backend,
                objects.opened(OpenObjects.Kind.DIRECT_FILE));
        return new DirectFile() {
            @Override
            public long alignment() {
                return real.alignment();
            }

            @Override
            public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
                return readParts(real, fileOffset, target, targetOffset, bytes);
            }

            @Override
            public void close() {
                real.close();
                closed.run();
            }
        };
    }

    private long readParts(DirectFile file, long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
        Objects.checkFromIndexSize(targetOffset, bytes, target.byteSize());
        long part = Math.max(1, Math.ceilDiv(bytes, plan.directParts()));
        long done = 0;
        do {
            plan.before(Operation.DIRECT_READ, backend, 0);
            long wanted = Math.min(part, bytes - done);
            long read = file.read(fileOffset + done, FaultyBuffer.real(target), targetOffset + done, wanted);
            done += read;
            if (read < wanted) {
                return done;
            }
        } while (done < bytes);
        return done;
    }
}
