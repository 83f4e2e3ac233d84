package io.fastsafetensors.core.header;

import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.types.Location;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonToken;

/// Reads what `config.json` beside a checkpoint says of its quantisation: `quantization_config`, at the top or in
/// `text_config`. A hint and no authority: the file is written for other programs, so that whatever is wrong with it is
/// passed over, and the shapes of the tensors decide alone.
///
/// @param blockSize the blocks of `weight_block_size`, if it has two numbers
public record QuantizationConfig(Optional<BlockSize> blockSize) {
    private static final String FILE = "config.json";
    private static final String SECTION = "quantization_config";
    private static final String NESTED = "text_config";
    private static final String BLOCK_SIZE = "weight_block_size";
    private static final int DIMENSIONS = 2;
    private static final Logger LOG = System.getLogger("io.fastsafetensors.core");

    /// The rows and columns of a block. Both at least 1.
    public record BlockSize(long rows, long columns) {
    }

    /// Reads it, if the file is there and has the section.
    ///
    /// @param checkpoint a file of the checkpoint
    /// @throws io.fastsafetensors.error.StorageException if the file is there and cannot be read
    public static Optional<QuantizationConfig> beside(Location checkpoint, SourceFiles sources) {
        Optional<Location> file = checkpoint.parent().map(directory -> directory.resolve(FILE));
        if (file.isEmpty() || sources.storage(file.get()).kind(file.get()) != Storage.Kind.FILE) {
            return Optional.empty();
        }
        return sources.file(file.get()).reading(open -> read(new FileBytes(open)));
    }

    private static Optional<QuantizationConfig> read(FileBytes file) {
        Utf8Section text = new Utf8Section(file, 0, file.length(), FormatError.INVALID_QUANTIZATION);
        try (JsonCursor json = new JsonCursor(text, text::hasEscapes, true)) {
            json.beginDocument();
            return section(json);
        } catch (JacksonException e) {
            // Written for other programs; it only refines what shapes say already.
            LOG.log(Level.DEBUG, file.location() + " is not JSON: " + JsonCursor.describe(e));
            return Optional.empty();
        }
    }

    /// Looks into the object that was just begun, and into `text_config`, where models of several parts keep it; the
    /// last one that is found counts.
    private static Optional<QuantizationConfig> section(JsonCursor json) {
        Optional<QuantizationConfig> found = Optional.empty();
        for (String key = json.nextName(); key != null; key = json.nextName()) {
            boolean inside = key.equals(SECTION) || key.equals(NESTED);
            if (!inside) {
                json.skipValue();
            } else if (json.next() == JsonToken.START_OBJECT) {
                Optional<QuantizationConfig> here = key.equals(SECTION) ? Optional.of(config(json)) : section(json);
                found = here.isPresent() ? here : found;
            } else {
                skipArray(json);
            }
        }
        return found;
    }

    private static QuantizationConfig config(JsonCursor json) {
        Optional<BlockSize> size = Optional.empty();
        for (String key = json.nextName(); key != null; key = json.nextName()) {
            if (!key.equals(BLOCK_SIZE)) {
                json.skipValue();
            } else if (json.next() == JsonToken.START_ARRAY) {
                size = blockSize(json);
            } else {
                skipArray(json);
            }
        }
        return new QuantizationConfig(size);
    }

    /// Passes over what was begun, if it was no plain value.
    private static void skipArray(JsonCursor json) {
        if (json.isBegun()) {
            json.skipRest();
        }
    }

    /// The rest of the array was read in any case, so the cursor stands behind it.
    private static Optional<BlockSize> blockSize(JsonCursor json) {
        List<Long> numbers = new ArrayList<>();
        while (json.next() != JsonToken.END_ARRAY) {
            numbers.add(json.unsigned("a number of " + BLOCK_SIZE));
        }
        return numbers.size() == DIMENSIONS && numbers.stream().allMatch(number -> number > 0)
                ? Optional.of(new BlockSize(numbers.getFirst(), numbers.getLast())) : Optional.empty();
    }
}
