package io.fastsafetensors.examples.jlama;

import com.github.tjake.jlama.model.AbstractModel;
import com.github.tjake.jlama.model.AbstractModel.InferenceType;
import com.github.tjake.jlama.model.ModelSupport;
import com.github.tjake.jlama.safetensors.DType;
import com.github.tjake.jlama.safetensors.prompt.PromptContext;
import java.io.File;
import java.util.Optional;
import java.util.UUID;

/// Completes a text with a model that fst loads and Jlama runs.
public final class RunJlama {
    private RunJlama() {
    }

    /// Runs it.
    ///
    /// @param args the directory of a model in the layout of Hugging Face, and the text to complete
    public static void main(String[] args) {
        try (FstWeights weights = FstWeights.open(new File(args[0])); AbstractModel model =
                ModelSupport.loadModel(InferenceType.FULL_GENERATION, new File(args[0]), null, DType.F32, DType.I8,
                        Optional.empty(), Optional.empty(), Optional.empty(), _ -> weights)) {
            System.out.println(model.generate(UUID.randomUUID(), PromptContext.of(args[1]), 0, 128, (_, _) -> {
            }).responseText);
        }
    }
}
