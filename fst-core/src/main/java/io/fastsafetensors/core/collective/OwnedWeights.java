package io.fastsafetensors.core.collective;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.GetOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.LoadStats;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.core.collective.Deliveries.Finish;
import io.fastsafetensors.core.distribute.FileOwners;
import io.fastsafetensors.core.distribute.RankLayout;
import io.fastsafetensors.core.load.LoadedWeights;
import io.fastsafetensors.core.memory.Resources;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.core.tensor.CoreTensor;
import io.fastsafetensors.core.tensor.Sharding;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/// The tensors of a load in which each file is read by one rank, which gives its tensors to the others when all ask.
///
/// Calls that hand out tensors are collective: every rank makes the same ones in the same order, and each returns when all
/// have what they asked for. What is asked about the checkpoint alone is answered without the others.
///
/// A file's memory goes back to its owner's device when all tensors of the file were handed out; asking for one of
/// them again is an error on every rank.
final class OwnedWeights implements Weights {
    /// The most bytes of tensors that are delivered together, unless one alone is larger: enough that agreeing costs
    /// little, few enough that the first ones are on their way while the next ones are read.
    private static final long MOST_TOGETHER = 256L << 20;

    /// The tensors of this rank's files, which only it has read.
    private final LoadedWeights own;
    /// All files, those of the other ranks included: they say what can be asked for.
    private final Checkpoint checkpoint;
    /// The selected tensors of all ranks, by name, in the order of the checkpoint.
    private final Map<String, TensorInfo> tensors;
    /// Which rank has read which file.
    private final FileOwners owners;
    private final RankLayout layout;
    private final Deliveries deliveries;

    /// @param own what this rank reads
    /// @param tensors the selected tensors of all ranks, in their order
    OwnedWeights(LoadedWeights own, Checkpoint checkpoint, Map<String, TensorInfo> tensors, FileOwners owners,
            RankLayout layout,
            Deliveries deliveries) {
        this.own = own;
        this.checkpoint = checkpoint;
        this.tensors = tensors;
        this.owners = owners;
        this.layout = layout;
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

    /// Checks for every rank what could be refused on one alone.
    private Delivery.Request request(String name, int dim, int destination) {
        TensorInfo info = own.loadedInfo(info(name));
        Part.requireAll(info, dim, layout.ranks());
        return new Delivery.Request(info, owners.owner(info), dim, destination);
    }

    /// @param dim the dimension that all are cut along, −1 if they go as wholes
    /// @param destination the one rank that gets them, −1 if all do
    private List<Delivery.Request> requests(List<String> names, int dim, int destination, GetOptions options) {
        List<Delivery.Request> requests = names.stream().map(name -> request(name, dim, destination)).toList();
        Sharding.requireConvertible(requests.stream().map(Delivery.Request::tensor).toList(), dim, layout, options);
        return requests;
    }

    /// What a call returns that asks for one tensor. A conversion or a copy may fail on one rank alone.
    private static Finish<Tensor> one(GetOptions options) {
        return new Finish<>(got -> LoadedWeights.as(got.getFirst(), options),
                options.device().isPresent() || options.dtype().isPresent(), Tensor::close);
    }

    /// The call as ranks compare it: those that ask for different things are told both.
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
        return deliveries.all(called("get", quoted(name), options), () -> requests(List.of(name), -1, -1, options),
                one(options));
    }

    @Override
    public boolean isReady(String name) {
        Objects.requireNonNull(name, "name");
        return owners.owner(info(name)) == layout.rank() && own.isReady(name);
    }

    @Override
    public Tensor getSharded(String name, int dim, GetOptions options) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(options, "options");
        return deliveries.all(called("getSharded", quoted(name) + ", " + dim, options),
                () -> requests(List.of(name), dim, -1, options), one(options));
    }

    @Override
    public Tensor getShardedConcat(List<String> names, int dim, GetOptions options) {
        Objects.requireNonNull(names, "names");
        Objects.requireNonNull(options, "options");
        return deliveries.all(called("getShardedConcat", names + ", " + dim, options), () -> {
            Sharding.requireConcat(names.stream().map(name -> own.loadedInfo(info(name))).toList(), dim, layout);
            return requests(names, dim, -1, options);
        }, new Finish<>(parts -> {
            try (Resources steps = new Resources()) {
                parts.forEach(steps::add);
                return LoadedWeights.as(Sharding.concat(parts, dim), options);
            }
        }, true, Tensor::close));
    }

    @Override
    public Optional<Tensor> push(String name, int destination, GetOptions options) {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(options, "options");
        Finish<Tensor> one = one(options);
        return deliveries.all(called("push", quoted(name) + ", " + destination, options), () -> {
            Sharding.requireRank(destination, layout);
            return requests(List.of(name), -1, destination, options);
        }, new Finish<>(got -> got.isEmpty() ? Optional.empty() : Optional.of(one.of().apply(got)), one.mayFail(),
                pushed -> pushed.ifPresent(Tensor::close)));
    }

    /// Tensors of one file that follow one another go together: the ranks agree once for them. Owners take turns, so
    /// that what one has read goes to the others while another one reads.
    ///
    /// If a step fails, tensors of earlier steps are closed.
    @Override
    public Map<String, Tensor> getAll(Map<String, Integer> dims) {
        Objects.requireNonNull(dims, "dims");
        own.checkpoint();
        Map<String, Tensor> got = new HashMap<>();
        List<Delivery.Request> requests = new ArrayList<>(dims.size());
        List<List<Delivery.Request>> runs = new ArrayList<>(List.of(requests));
        try {
            // The first step asks for all, so that what cannot be had is known before anything is handed out.
            for (int run = 0; run < runs.size(); run++) {
                int number = run;
                deliveries.all("getAll, step " + number + " of " + dims.size() + " tensors", () -> {
                    if (number == 0) {
                        dims.forEach((name, dim) -> requests.add(request(name, dim, -1)));
                        runs.clear();
                        runs.addAll(inTurn(requests));
                    }
                    return runs.isEmpty() ? List.of() : runs.get(number);
                }, new Finish<>(tensors -> {
                    tensors.forEach(tensor -> got.put(tensor.name(), tensor));
                    return tensors;
                }, false, tensors -> tensors.forEach(CoreTensor::close)));
            }
            Map<String, Tensor> all = new LinkedHashMap<>();
            dims.keySet().forEach(name -> all.put(name, Objects.requireNonNull(got.get(name))));
            return all;
        } catch (RuntimeException | Error e) {
            got.values().forEach(Tensor::close);
            throw e;
        }
    }

    /// Cuts requests into runs, and takes one of each owner in turn.
    private List<List<Delivery.Request>> inTurn(List<Delivery.Request> requests) {
        Map<Integer, ArrayDeque<List<Delivery.Request>>> byOwner = new TreeMap<>();
        for (int from = 0; from < requests.size();) {
            int to = endOfRun(requests, from);
            byOwner.computeIfAbsent(requests.get(from).owner(), _ -> new ArrayDeque<>())
                    .add(requests.subList(from, to));
            from = to;
        }
        List<List<Delivery.Request>> runs = new ArrayList<>();
        while (!byOwner.isEmpty()) {
            byOwner.values().forEach(own -> runs.add(own.remove()));
            byOwner.values().removeIf(ArrayDeque::isEmpty);
        }
        return runs;
    }

    /// The end of the run of requests that goes in one step from there on: of one file, and of [#MOST_TOGETHER] bytes at
    /// most.
    private static int endOfRun(List<Delivery.Request> requests, int from) {
        Location file = requests.get(from).tensor().file();
        long bytes = 0;
        int to = from;
        while (to < requests.size() && requests.get(to).tensor().file().equals(file)) {
            bytes += requests.get(to).tensor().byteSize();
            if (bytes > MOST_TOGETHER && to > from) {
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
