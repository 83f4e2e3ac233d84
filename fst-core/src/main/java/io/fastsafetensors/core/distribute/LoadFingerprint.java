package io.fastsafetensors.core.distribute;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.Selection;
import io.fastsafetensors.core.digest.Fingerprint;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.header.ParsedCheckpoint;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The facts on which the ranks of a load must agree, by name, in values that people can compare.
///
/// A difference is told with the name and both values, so what differs most often (files, selection, dtype) has a fact of
/// its own, and only long lists are digests. Facts of one rank's machine (paths, devices, budgets) are none.
public final class LoadFingerprint {
    /// Hexadecimal digits of a digest: enough to tell two files apart, few enough to read.
    private static final int DIGITS = 16;

    private LoadFingerprint() {
    }

    /// The files, their headers, and the options that decide who gets what. Paths may differ, names may not.
    public static Map<String, String> of(ParsedCheckpoint checkpoint, Map<Integer, List<Location>> owners,
            LoadOptions options) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("option distribution", options.distribution().toString());
        facts.put("option shards", options.shards().map(Object::toString).orElse("none"));
        facts.put("option dtype", options.dtype().map(Object::toString).orElse("as in the files"));
        facts.put("option dequantize", options.dequantize().map(Object::toString).orElse("off"));
        facts.put("selected tensors", selected(checkpoint, options.selection()));
        facts.put("files", Integer.toString(checkpoint.headers().size()));
        int number = 0;
        for (FileHeader header : checkpoint.headers()) {
            facts.put("file " + number++, header.location().name() + " of " + header.fileLength()
                    + " bytes with header " + digest(header));
        }
        owners.forEach((rank, files) -> facts.put("files of rank " + rank,
                files.stream().map(Location::name).toList().toString()));
        return facts;
    }

    /// Where each tensor and block lies: for ranks that put the same bytes into the same places.
    ///
    /// Only for striped loads: in all others a rank's buffers are its own affair.
    public static Map<String, String> ofPlaces(ReadPlan plan) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("layout (alignment, block size, dtype)", plan.settings().toString());
        facts.put("bytes exchanged at a time (fst.exchangeBytes)", Long.toString(Windows.mostBytes()));
        StringBuilder ways = new StringBuilder();
        for (PlannedFile file : plan.planned()) {
            ways.append(switch (file.path()) {
                case IN_PLACE, MAPPED_IN_PLACE -> 'i';
                case MAPPED -> 'm';
                case MOVED, STAGED, DEQUANTIZED, DIRECT -> 'p';
            });
        }
        facts.put("ways of the files", ways.toString());
        facts.put("blocks", cuts(plan.blocks()));
        facts.put("plan", plan.digest().substring(0, DIGITS));
        return facts;
    }

    /// Equally many blocks may be cut at different places: those of de-quantised tensors are larger where a device multiplies.
    private static String cuts(BlockTable blocks) {
        Fingerprint cuts = new Fingerprint();
        for (int b = 0; b < blocks.size(); b++) {
            cuts.add(blocks.file(b)).add(blocks.start(b)).add(blocks.end(b));
        }
        return blocks.size() + " with digest " + hex(cuts);
    }

    /// A selection cannot be compared; what it selects can.
    private static String selected(ParsedCheckpoint checkpoint, Selection selection) {
        Fingerprint names = new Fingerprint();
        int count = 0;
        int all = 0;
        for (TensorInfo tensor : checkpoint.tensors()) {
            if (selection.test(tensor)) {
                names.add(tensor.name());
                count++;
            }
            all++;
        }
        // The headers have digests of their own: of all tensors no other is needed.
        return count == all ? "all " + all : count + " with digest " + hex(names);
    }

    /// Of everything that decides where bytes go, rather than of the header's own bytes.
    private static String digest(FileHeader header) {
        Fingerprint of = new Fingerprint().add(header.dataStart());
        header.tensors().forEach(of::add);
        header.metadata().forEach((key, value) -> of.add(key).add(value));
        return hex(of);
    }

    private static String hex(Fingerprint fingerprint) {
        return fingerprint.hex().substring(0, DIGITS);
    }
}
