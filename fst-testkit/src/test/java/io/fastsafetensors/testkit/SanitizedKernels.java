package io.fastsafetensors.testkit;

import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.kernel.KernelLibrary;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import java.nio.file.Path;
import java.util.random.RandomGenerator;

/// A program that runs the kernels on memory of exactly their size: all pairs, and gathers, from and to any byte. Its
/// one argument is the library.
final class SanitizedKernels {
    private SanitizedKernels() {
    }

    public static void main(String[] args) {
        RandomGenerator random = Seed.random("sanitized kernels");
        KernelTrials trials = new KernelTrials(new KernelLibrary(Path.of(args[0])), random);
        for (DType from : DType.values()) {
            for (DType to : DType.values()) {
                if (ScalarReference.converts(from, to)) {
                    trials.convert(from, Patterns.of(from, to, random, Effort.QUICK), to, 0, 0);
                    for (int round = 0; round < 40; round++) {
                        trials.convert(from, to, 4 * random.nextInt(40), random.nextInt(20), random.nextInt(20));
                    }
                }
            }
        }
        DType[] dtypes = {DType.U8, DType.BF16, DType.F32, DType.I64};
        for (int round = 0; round < 2000; round++) {
            DType from = dtypes[random.nextInt(dtypes.length)];
            DType to = dtypes[random.nextInt(dtypes.length)];
            int elements = 300 + random.nextInt(3000);
            trials.gather(from, trials.view(9, elements), elements, to, random.nextInt(20), random.nextInt(20));
            int columns = 8 * (1 + random.nextInt(16));
            trials.columns(from, to, 1 + random.nextInt(20), columns + random.nextInt(20), 0, columns,
                    random.nextInt(20), 16 * random.nextInt(3));
        }
    }
}
