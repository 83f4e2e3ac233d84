package io.fastsafetensors.examples.spring;

import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.types.TensorInfo;
import java.util.List;
import java.util.Map;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/// Lists tensors, and gives the first values of one.
@RestController
public class Tensors {
    private static final int MOST_VALUES = 16;

    private final Model model;

    Tensors(Model model) {
        this.model = model;
    }

    @GetMapping("/tensors")
    List<String> names() {
        return weights().checkpoint().tensors().stream().map(TensorInfo::name).toList();
    }

    // Names have dots and slashes: a parameter rather than a part of the path.
    @GetMapping("/tensor")
    Map<String, Object> tensor(@RequestParam("name") String name) {
        try {
            Tensor tensor = weights().get(name);
            float[] values = tensor.toFloatArray();
            return Map.of("dtype", tensor.dtype().name(), "shape", tensor.shape().toArray(), "values",
                    java.util.Arrays.copyOf(values, Math.min(MOST_VALUES, values.length)));
        } catch (TensorNotFoundException e) {
            throw new ResponseStatusException(HttpStatus.NOT_FOUND, e.getMessage(), e);
        }
    }

    private Weights weights() {
        return model.weights().orElseThrow(() -> new ResponseStatusException(HttpStatus.SERVICE_UNAVAILABLE,
                model.failure().map(Throwable::getMessage).orElse("the headers are being read")));
    }
}
