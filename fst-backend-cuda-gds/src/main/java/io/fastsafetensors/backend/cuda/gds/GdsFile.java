package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFile;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.base.Lifetime;
import java.util.Objects;

/// A file that cuFile reads into device memory.
final class GdsFile implements DirectFile {
    /// Below this granularity cuFile goes through a buffer of its own: a page, in every way that it reads.
    private static final long ALIGNMENT = 4096;
    private static final int EINTR = 4;
    private static final int MOST_INTERRUPTIONS = 1000;

    private final Where where;
    private final long length;
    private final OpenHandle handle;
    private final BufferRegistrations registrations;
    private final Lifetime lifetime;

    /// @param where the file, for messages
    /// @param length the file's length in bytes, beyond which nothing is read
    /// @param handle closed with this file
    /// @param backend what the file is opened in
    GdsFile(Where where, long length, OpenHandle handle, BufferRegistrations registrations, Lifetime backend) {
        this.where = where;
        this.length = length;
        this.handle = handle;
        this.registrations = registrations;
        this.lifetime = backend.work("the file", handle::close);
    }

    @Override
    public long alignment() {
        return ALIGNMENT;
    }

    @Override
    public long read(long fileOffset, DeviceBuffer target, long targetOffset, long bytes) {
        Objects.checkFromIndexSize(targetOffset, bytes, target.byteSize());
        if (fileOffset < 0) {
            throw new IndexOutOfBoundsException("file offset " + fileOffset);
        }
        if (!(target instanceof GdsBuffer buffer)) {
            throw new IllegalArgumentException("the target is no buffer of this backend");
        }
        long wanted = Math.clamp(length - fileOffset, 0, bytes);
        return lifetime.using(() -> wanted == 0 ? 0L
                : buffer.using(() -> handle.libraries().cuda()
                        .with(() -> readAll(fileOffset, buffer, targetOffset, wanted))));
    }

    /// The library may read less than it is asked for, at its own limits and at those of the kernel.
    private long readAll(long fileOffset, GdsBuffer buffer, long targetOffset, long bytes) {
        registrations.ensure(buffer);
        CuFile cuFile = handle.libraries().cuFile();
        long done = 0;
        int interruptions = 0;
        while (done < bytes) {
            long got = cuFile.cuFileRead(handle.fh(), buffer.address(), bytes - done, fileOffset + done,
                    targetOffset + done);
            if (got == 0) {
                break;
            }
            if (got > 0) {
                done += got;
            } else if (got != -1 || cuFile.errno() != EINTR || ++interruptions > MOST_INTERRUPTIONS) {
                throw failure(got, fileOffset + done);
            }
        }
        return done;
    }

    private BackendException failure(long result, long offset) {
        OpenHandle.Libraries libraries = handle.libraries();
        return CuFileStatus.readFailure(result, libraries.c().strerror(libraries.cuFile().errno()),
                where.withOffset(offset));
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
