package io.fastsafetensors.api;

import java.util.List;
import java.util.Map;

/// Statistics of a load up to now. Times are in seconds since the call of `load`.
///
/// @param files files of the load
/// @param tensors tensors of the load
/// @param bytes bytes of these tensors, or of this rank's parts of them, in the files
/// @param bytesRead bytes read from storage or page cache, padding included
/// @param bytesFromCache of these, copied out of the page cache
/// @param bytesDirect of these, read past the page cache
/// @param bytesReceived bytes of tensors that other ranks sent to this one
/// @param secondsPlan until headers were read and the plan stood
/// @param secondsFirstTensor until the first tensor was complete, 0 while none is
/// @param secondsAll until the last one was, 0 while it is not
/// @param readers reader threads
/// @param readSeconds time spent in reads, summed over readers
/// @param placeSeconds time spent copying or converting into place, summed over readers
/// @param stagingBytes the most staging memory held
/// @param deviceBytes the most device memory that the load or stream had allocated at any time: buffers, what readers
///        needed besides, and the owned tensors of a stream
/// @param mappedBytes bytes of tensors, padding included, that lie in mappings of their files ([TransferPath#MAPPED] on the CPU): pages
///        of the page cache, which the process shares with others and no budget counts; of a stream, those of its largest batch
/// @param overflows how many numbers of each tensor became infinite, or the largest number of a dtype without infinities, as
///        far as they were counted ([LoaderBuilder#countOverflows(boolean)]); tensors without any are not in it
/// @param storage how each file was read and why, one line a file
public record LoadStats(int files, int tensors, long bytes, long bytesRead, long bytesFromCache, long bytesDirect,
        long bytesReceived, double secondsPlan, double secondsFirstTensor, double secondsAll, int readers,
        double readSeconds,
        double placeSeconds, long stagingBytes, long deviceBytes, long mappedBytes, Map<String, Long> overflows,
        List<String> storage) {
    /// Copies map and list.
    public LoadStats {
        overflows = Map.copyOf(overflows);
        storage = List.copyOf(storage);
    }
}
