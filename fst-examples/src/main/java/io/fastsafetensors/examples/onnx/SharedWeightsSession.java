package io.fastsafetensors.examples.onnx;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.fastsafetensors.api.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A session whose model has its weights in fst's memory: every loaded tensor takes the place of the initializer of its
/// name. In the model these are external data, so that ONNX Runtime reads none of them itself; it only insists that the
/// file they name exists next to the model.
///
/// Before it runs a model, ONNX Runtime copies the matrices that it multiplies by into an order that suits the
/// processor ("prepacking"). With that switched off it computes from fst's memory, with half the memory and slower.
public final class SharedWeightsSession implements AutoCloseable {
    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final List<SharedOnnxTensor> initializers = new ArrayList<>();
    private final OrtSession session;

    /// @param model the `.onnx` file
    /// @param weights its weights, all of them; may be closed while the session goes on
    /// @param prepacking whether ONNX Runtime may keep copies of matrices in an order of its own
    public SharedWeightsSession(Path model, Weights weights, boolean prepacking) throws OrtException {
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            if (!prepacking) {
                options.addConfigEntry("session.disable_prepacking", "1");
            }
            for (String name : weights.names()) {
                SharedOnnxTensor initializer = new SharedOnnxTensor(environment, weights.get(name));
                initializers.add(initializer);
                options.addInitializer(name, initializer.tensor());
            }
            session = environment.createSession(model.toString(), options);
        } catch (OrtException | RuntimeException e) {
            initializers.forEach(SharedOnnxTensor::close);
            throw e;
        }
    }

    /// Runs a model of one input and one output, both matrices.
    public float[][] run(float[][] input) throws OrtException {
        String name = session.getInputNames().iterator().next();
        try (OnnxTensor tensor = OnnxTensor.createTensor(environment, input);
                OrtSession.Result result = session.run(Map.of(name, tensor))) {
            return (float[][]) result.get(0).getValue();
        }
    }

    /// Closes the session, then what it used.
    @Override
    public void close() throws OrtException {
        try {
            session.close();
        } finally {
            initializers.forEach(SharedOnnxTensor::close);
        }
    }
}
