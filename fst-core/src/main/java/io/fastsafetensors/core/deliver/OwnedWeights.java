package io.fastsafetensors.core.deliver;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.core.distribute.FileOwners;
import io.fastsafetensors.core.distribute.Way;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/// The tensors of a load in which each file is read by one rank, which gives its tensors to the others when all ask.
final class OwnedWeights implements Weights {
    /// The most memory, in bytes, of tensors that are being cut along inner dimensions together, unless one alone is larger.
    private static final long MOST_CUT = 256L << 20;

    private final LoadedWeights own;
    private final Checkpoint checkpoint;
    private final Map<String, TensorInfo> tensors;
    private final FileOwners owners;
    private final Way way;
    private final Deliveries deliveries;

    /// @param own what this rank reads
    /// @param tensors the selected tensors of all ranks, in their order
    OwnedWeights(LoadedWeights own, Checkpoint checkpoint, Map<String, TensorInfo> tensors, FileOwners owners, Way way,
            Deliveries deliveries) {
        this.own = own;
        this.checkpoint = checkpoint;
        this.tensors = tensors;
        this.owners = owners;
        this.way = way;
        this.deliveries = deliveries;
    }

    @Override
    public Checkpoint checkpoint() {
        return own.checkpoint();
    }

    @Override
    public Set<String> names() {
        own.checkpoint();
        return Collections.unmodifiableSet(tensors.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        Objects.requireNonNull(name, "name");
        own.checkpoint();
        TensorInfo tensor = tensors.get(name);
        if (tensor == null) {
            checkpoint.info(name);
            throw new TensorNotFoundException(name, "it is in the checkpoint but was not selected for this load");
        }
        return tensor;
    }

    @Override
    public Location file(String name) {
        Objects.requireNonNull(name, "name");
        return info(name).file();
    }

    @Override
    public Map<String, String> metadata() {
        return own.metadata();
    }

    @Override
    public Device device() {
        return own.device();
    }

    @Override
    public LoadPlan plan() {
        return own.plan();
    }

    private Request request(String name, int dim, int destination) {
        TensorInfo info = info(name);
        Part.requireDim(name, info.shape(), dim);
        DType dtype = own.dtypeOf(info);
        TensorInfo loaded = new TensorInfo(name, dtype, info.shape(), info.file(), info.fileOffset(),
                dtype.byteSize(info.shape().elements()));
        Request request = new Request(loaded, owners.owner(info), dim, destination);
        request.part(way.rank(), way.ranks());
        return request;
    }

    private static String called(String method, String what, GetOptions options) {
        return method + "(" + what + ")" + options.dtype().map(dtype -> " as " + dtype).orElse("");
    }

    private static String quoted(String name) {
        return "\"" + Printable.escape(name) + "\"";
    }

    @Override
    public Tensor get(String name, GetOptions options) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(options, "options");
        Request request = request(name, -1, -1);
        return LoadedWeights.as(
                deliveries.all(called("get", quoted(name), options), List.of(request)).getFirst(), options);
    }

    @Override
    public boolean isReady(String name) {
        Objects.requireNonNull(name, "name");
        return owners.owner(info(name)) == way.rank() && own.isReady(name);
    }

    @Override
    public Tensor getSharded(String name, int dim, GetOptions options) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(options, "options");
        Request request = request(name, dim, -1);
        return LoadedWeights.as(deliveries
                .all(called("getSharded", quoted(name) + ", " + dim, options), List.of(request)).getFirst(), options);
    }

    @Override
    public Tensor getShardedConcat(List<String> names, int dim, GetOptions options) {
        Objects.requireNonNull(names, "names");
        Objects.requireNonNull(options, "options");
        Sharding.requireConcat(names.stream().map(this::info).toList(), dim);
        List<Request> requests = names.stream().map(name -> request(name, dim, -1)).toList();
        List<CoreTensor> parts = deliveries.all(called("getShardedConcat", names + ", " + dim, options), requests);
        try {
            return LoadedWeights.as(Sharding.concat(parts, dim), options);
        } finally {
            parts.forEach(CoreTensor::close);
        }
    }

    @Override
    public Optional<Tensor> push(String name, int destination, GetOptions options) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(options, "options");
        Sharding.requireRank(destination, way);
        Request request = request(name, -1, destination);
        List<CoreTensor> pushed = deliveries.all(called("push", quoted(name) + ", " + destination, options),
                List.of(request));
        return pushed.isEmpty() ? Optional.empty() : Optional.of(LoadedWeights.as(pushed.getFirst(), options));
    }

    /// Tensors of one file that follow one another go together: the ranks agree once for them.
    @Override
    public Map<String, Tensor> getAll(Map<String, Integer> dims) {
        Objects.requireNonNull(dims, "dims");
        List<Request> requests = new ArrayList<>(dims.size());
        dims.forEach((name, dim) -> requests.add(request(name, dim, -1)));
        Map<String, Tensor> all = new LinkedHashMap<>();
        int from = 0;
        while (from < requests.size()) {
            int to = endOfRun(requests, from);
            List<Request> together = requests.subList(from, to);
            List<CoreTensor> got = deliveries.all("getAll, tensors " + from + " to " + (to - 1) + " of "
                    + requests.size(), together);
            for (int i = 0; i < got.size(); i++) {
                all.put(together.get(i).tensor().name(), got.get(i));
            }
            from = to;
        }
        return all;
    }

    private static int endOfRun(List<Request> requests, int from) {
        Location file = requests.get(from).tensor().file();
        long cut = 0;
        int to = from;
        while (to < requests.size() && requests.get(to).tensor().file().equals(file)) {
            cut += requests.get(to).dim() > 0 ? requests.get(to).tensor().byteSize() : 0;
            if (cut > MOST_CUT && to > from) {
                break;
            }
            to++;
        }
        return to;
    }

    @Override
    public void awaitAll() {
        deliveries.awaitAll();
    }

    @Override
    public LoadStats stats() {
        return own.stats(deliveries.bytesReceived());
    }

    @Override
    public boolean isClosed() {
        return own.isClosed();
    }

    @Override
    public void close() {
        own.close();
    }

    @Override
    public String toString() {
        return own.toString();
    }
}
