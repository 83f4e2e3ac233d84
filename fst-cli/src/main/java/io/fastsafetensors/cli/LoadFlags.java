package io.fastsafetensors.cli;

import io.fastsafetensors.api.Digests;
import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.types.Device;
import java.util.List;

/// The options of `fst load` that are a loader's: what is given wins over the configuration file, if one is named.
final class LoadFlags {
    private static final String CONFIG = "--config";
    private static final String DEVICE = "--device";
    private static final String BACKEND = "--backend";
    private static final String DTYPE = "--dtype";
    private static final String BUDGET = "--budget";
    private static final String SELECT = "--select";
    private static final String TRANSFER = "--transfer";
    private static final String READERS = "--readers";
    private static final String BLOCK = "--block";
    private static final String DIRECT = "--direct";
    private static final String STRICT = "--strict";
    private static final String CHECK = "--check-digests";

    private LoadFlags() {
    }

    static void describe(Syntax syntax) {
        syntax.value(CONFIG, "FILE",
                "start from this file, fst.* properties and FST_* variables; other options override them");
        syntax.value(DEVICE, "DEVICE", "cpu (default), cuda:0, rocm:0, opencl:0, gpu:0 or auto");
        syntax.value(BACKEND, "NAME", "the backend, such as cuda-gds (default: the best one available)");
        syntax.value(DTYPE, "DTYPE", "convert floating-point tensors, such as BF16");
        Conversions.describe(syntax);
        syntax.value(BUDGET, "SIZE", "the most device memory to use, such as 8GiB; a larger checkpoint is loaded"
                + " in batches");
        syntax.values(SELECT, "GLOB", "load only tensors whose names match");
        syntax.choice(TRANSFER, "HOW",
                "the transfer path: auto (default), staged, mapped (on the CPU without a copy) or direct",
                TransferPath.values());
        syntax.value(READERS, "N", "threads that read (default 0: chosen by backend and cores)");
        syntax.value(BLOCK, "SIZE", "bytes of one read (default 0: the backend's choice)");
        syntax.choice(DIRECT, "WHEN", "read past the page cache: auto (default), always or never", DirectIo.values());
        OpenFlags.describe(syntax,
                "fail if a file cannot take the backend's fastest transfer path, and at what would only be a note"
                        + " about index, shards and directory");
        syntax.flag(CHECK,
                "compare with SHA-256: tensors with those in the metadata, files with those found beside them or in"
                        + " the names of Hugging Face blobs; fail at the first that differs");
    }

    /// A builder with what the line says.
    static LoaderBuilder builder(Line line) {
        LoaderBuilder builder = withoutDevice(line);
        line.ifSet(DEVICE, text -> builder.device(Device.parse(text)));
        return builder;
    }

    /// A builder with what the line says, without the device.
    static LoaderBuilder withoutDevice(Line line) {
        LoaderBuilder builder = line.isSet(CONFIG) ? Loader.configuredBuilder(Line.path(line.value(CONFIG, "")))
                : Loader.builder();
        line.ifSet(BACKEND, builder::backend);
        line.dtype(DTYPE).ifPresent(dtype -> builder.dtype(dtype).countOverflows(true));
        Conversions.set(line, builder);
        line.ifSet(BUDGET, text -> builder.deviceBudget(Sizes.parse(BUDGET, text)));
        List<String> globs = line.values(SELECT);
        line.ifSet(SELECT, _ -> builder.select(Selection.glob(globs.toArray(new String[0]))));
        if (line.isSet(TRANSFER)) {
            builder.transferPath(line.oneOf(TRANSFER, TransferPath.AUTO, TransferPath.values()));
        }
        line.ifSet(READERS, text -> builder.readers(Integer.parseInt(text)));
        line.ifSet(BLOCK, text -> builder.blockBytes((int) Math.min(Integer.MAX_VALUE, Sizes.parse(BLOCK, text))));
        if (line.isSet(DIRECT)) {
            builder.directIo(line.oneOf(DIRECT, DirectIo.AUTO, DirectIo.values()));
        }
        builder.open(OpenFlags.of(line, builder.options().open()));
        if (line.isSet(STRICT)) {
            builder.strictBackend(true);
        }
        if (line.isSet(CHECK)) {
            builder.checkDigests(true).digests(Digests.found());
        }
        return builder;
    }
}
