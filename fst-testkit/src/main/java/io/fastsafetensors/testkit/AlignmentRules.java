package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.StagingBuffer;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// Addresses are multiples of what was asked for.
abstract class AlignmentRules extends RuleGroup {
    private static final int LARGEST_POWER = 21;

    AlignmentRules(BackendConformance suite) {
        super(suite);
    }

    /// A device address is a multiple of the alignment asked for, from 1 byte to 2 MiB (capability POINTERS).
    ///
    /// If it fails for large ones: drivers align to 256 or 512; allocate more and advance the address, and free the
    /// driver's own.
    @Test
    @DisplayName("M-01 device addresses have the alignment asked for")
    void m_01_device_addresses_have_the_alignment_asked_for() {
        bench.need(Capability.POINTERS);
        forEachAlignment((buffer, alignment) -> assertEquals(0, buffer.handle().value() % alignment,
                () -> "address " + Long.toHexString(buffer.handle().value()) + " modulo " + alignment));
    }

    /// A segment's address is a multiple of the alignment asked for (capability HOST_ADDRESSABLE), and is the handle's
    /// where there are pointers.
    ///
    /// If it fails: the handle and the segment must start at the same byte.
    @Test
    @DisplayName("M-02 segments have the alignment asked for")
    void m_02_segments_have_the_alignment_asked_for() {
        bench.need(Capability.HOST_ADDRESSABLE);
        forEachAlignment((buffer, alignment) -> {
            long address = buffer.segment().orElseThrow().address();
            assertEquals(0, address % alignment, () -> "address " + Long.toHexString(address) + " modulo " + alignment);
            if (bench.claims(Capability.POINTERS)) {
                assertEquals(address, buffer.handle().value(), "the handle's pointer");
            }
        });
    }

    /// Staging memory starts at a multiple of 4096 bytes, whatever its size.
    ///
    /// If it fails: direct reads from disk cannot land there; allocate a page more and slice, if the driver gives less.
    @Test
    @DisplayName("M-03 staging memory is aligned to pages")
    void m_03_staging_memory_is_aligned_to_pages() {
        for (long bytes : new long[] {1, 100, 4096, 5000, 1 << 20, (1 << 20) + 1}) {
            StagingBuffer staging = bench.staging(bytes);
            assertEquals(0, staging.segment().address() % 4096, () -> bytes + " bytes of staging memory");
        }
    }

    private interface Check {
        void accept(DeviceBuffer buffer, long alignment);
    }

    /// Buffers of every alignment and odd sizes, live at the same time.
    private void forEachAlignment(Check check) {
        RandomGenerator random = random();
        for (int power = 0; power <= LARGEST_POWER; power++) {
            long alignment = 1L << power;
            for (int i = 0; i < 3; i++) {
                check.accept(bench.track(bench.backend.allocate(1 + random.nextInt(5000), alignment)), alignment);
            }
        }
    }
}
