"""What the configuration of a Keras model may name: classes, functions and modules, reviewed one by one.

The names of functions are those under which TensorFlow publishes them (``math.add``), as Keras 2 saves them. All
compute tensors from tensors and plain values; none takes a path, an address, or code. Names that start with
``compat.v1.`` mean the same as those without.
"""

from __future__ import annotations


def _names(prefix: str, text: str) -> frozenset[str]:
    return frozenset(f"{prefix}{name}" for name in text.split())


model_classes = _names("", "Functional Model Sequential")
layer_classes = _names(
    "",
    """
    AbstractRNNCell Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention
    AlphaDropout Attention AtrousConvolution1D AtrousConvolution2D AugMix AutoContrast Average AveragePooling1D
    AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization BatchNormalizationV1
    BatchNormalizationV2 Bidirectional CategoryCrossing CategoryEncoding CenterCrop Concatenate
    ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
    ConvLSTM1D ConvLSTM2D ConvLSTM2DCell ConvLSTM3D Convolution1D Convolution1DTranspose Convolution2D
    Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CuDNNGRU CuDNNLSTM
    CutMix Deconvolution2D Deconvolution3D Dense DenseFeatures DepthwiseConv1D DepthwiseConv2D Discretization Dot
    Dropout ELU EinsumDense Embedding Equalization Flatten GRU GRUCell GRUCellV1 GRUCellV2 GRUV1 GRUV2 GaussianDropout
    GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D
    GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GroupNormalization GroupQueryAttention GroupedQueryAttention HashedCrossing Hashing Identity
    InputLayer InputSpec IntegerLookup LSTM LSTMCell LSTMCellV1 LSTMCellV2 LSTMV1 LSTMV2 Layer LayerNormalization
    LeakyReLU LocallyConnected1D LocallyConnected2D Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D MaxPool3D
    MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention Multiply
    Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
    RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomFourierFeatures
    RandomGaussianBlur RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization
    RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom ReLU
    RepeatVector Rescaling Reshape Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D
    SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D
    SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells StringLookup Subtract
    SyncBatchNormalization TextVectorization ThresholdedReLU TimeDistributed UnitNormalization UpSampling1D
    UpSampling2D UpSampling3D Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """,
)
# Layers of the networks in keras.applications, which Keras knows by their module only: that, and what they are given.
application_layers = {
    "CustomScaleLayer": ("inception_resnet_v2", frozenset({"scale"})),
    "LayerScale": ("convnext", frozenset({"init_values", "projection_dim"})),
    "StochasticDepth": ("convnext", frozenset({"drop_path_rate"})),
}
# Layers that Keras 2 makes of calls; what they call is looked at by itself.
calling_classes = _names("", "ClassMethod InstanceMethod InstanceProperty SlicingOpLambda TFOpLambda TensorFlowOpLayer")
part_classes = _names(
    "",
    """
    AWQDTypePolicy AbsMaxQuantizer Constant Constraint DTypePolicy DTypePolicyMap Float8QuantizationConfig
    FloatDTypePolicy GPTQDTypePolicy GlorotNormal GlorotUniform HeNormal HeUniform IdentityInitializer Initializer
    Int4DTypePolicy Int4QuantizationConfig Int8QuantizationConfig L1 L1L2 L2 LecunNormal LecunUniform LossScaleOptimizer
    MaxNorm MinMaxNorm NonNeg Ones Orthogonal OrthogonalInitializer OrthogonalRegularizer Policy PolicyV1
    QuantizationConfig QuantizedDTypePolicy QuantizedFloat8DTypePolicy Quantizer RadialConstraint RandomNormal
    RandomUniform Regularizer STFT STFTInitializer SeedGenerator TruncatedNormal UnitNorm VarianceScaling Zeros
    """,
)
# Plain values in the form of objects.
value_classes = _names(
    "", "CompositeTensor TensorShape __bytes__ __ellipsis__ __keras_tensor__ __numpy__ __slice__ __tensor__ __tuple__"
)
spec_classes = _names("", "TypeSpec __typespec__")
specs = _names("", "RaggedTensorSpec SparseTensorSpec TensorSpec tf.RaggedTensorSpec tf.SparseTensorSpec tf.TensorSpec")
column_classes = _names(
    "",
    """
    BucketizedColumn CrossedColumn EmbeddingColumn HashedCategoricalColumn IdentityCategoricalColumn IndicatorColumn
    NumericColumn SequenceCategoricalColumn SequenceNumericColumn SharedEmbeddingColumn VocabularyListCategoricalColumn
    WeightedCategoricalColumn
    """,
)
operation_classes = _names(
    "",
    """
    Abs Absolute AdaptiveAveragePool AdaptiveMaxPool AffineTransform All AllClose Amax Amin Angle Any Append Arange
    Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax Argmin Argpartition Argsort Array ArraySplit AveragePool
    BatchNorm BinaryCrossentropy Bincount BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr
    BitwiseRightShift BitwiseXor BroadcastTo CDist CTCDecode CTCLoss Cast CategoricalCrossentropy Cbrt Ceil Celu
    Cholesky CholeskyInverse Clip Conj Conjugate Conv ConvTranspose ConvertToTensor Copy Corrcoef Correlate Cos Cosh
    CountNonzero CropImages Cross Cumprod Cumsum Deg2rad DepthToSpace DepthwiseConv Det Diag Diagflat Diagonal Diff
    Digitize Divide DivideNoNan DotProductAttention Dsplit Dstack Eig Eigh Einsum ElasticTransform Elu EmptyLike Equal
    Erf Erfc Erfinv Exp Exp2 ExpandDims Expm1 ExtractPatches ExtractSequences FFT FFT2 Fabs Flip Fliplr Flipud Floor
    FloorDivide Fmax Fmin Fmod Fold Full FullLike GaussianBlur Gcd Gelu Geomspace GetItem Glu Greater GreaterEqual
    HSVToRGB HardShrink HardSigmoid HardSilu HardTanh Heaviside Histogram Hsplit Hstack Hypot I0 IFFT2 IRFFT ISTFT Imag
    InTopK Inner Inv IsIn Isclose Isfinite Isinf Isnan Isneginf Isposinf Isreal Kron LayerNorm Lcm Ldexp LeakyRelu
    LeftShift Less LessEqual Linspace Log Log10 Log1p Log2 LogSigmoid LogSoftmax Logaddexp Logaddexp2 Logdet LogicalAnd
    LogicalNot LogicalOr LogicalXor Logspace Logsumexp Lstsq LuFactor MapCoordinates Matmul MatrixRank Max MaxPool Mean
    Median Meshgrid Min Mod Moments Moveaxis MultiHot NanToNum Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean
    Nanmedian Nanmin Nanpercentile Nanprod Nanquantile Nanstd Nansum Nanvar Ndim Negative Nextafter Nonzero Norm
    Normalize NotEqual OneHot OnesLike Outer PSNR Pad PadImages Percentile PerspectiveTransform Pinv Polar Power Prod
    Ptp Qr Quantile RFFT RGBToGrayscale RGBToHSV RMSNorm Rad2deg Ravel Real Rearrange Reciprocal Relu Relu6 Repeat
    Resize RightShift Roll Rot90 Round Rsqrt SSIM STFT SVD SaturateCast ScaleAndTranslate Scatter ScatterUpdate
    SearchSorted
    SegmentMax SegmentMin SegmentProd SegmentReduction SegmentSum Select Selu SeparableConv Sigmoid Sign Signbit Silu
    Sin Sinc Sinh Size Slice SliceUpdate Slogdet SobelEdges SoftShrink Softplus Softsign Solve SolveTriangular Sort
    SpaceToDepth SparseCategoricalCrossentropy SparsePlus SparseSigmoid Sparsemax Split Sqrt Square Squareplus Squeeze
    Stack Std StopGradient Sum Swapaxes Take TakeAlongAxis Tan Tanh TanhShrink Tensordot Threshold Tile TopK Trace
    Transpose Trapezoid Tril Triu TrueDivide Trunc Unfold Unique UnravelIndex Unstack Vander Var Vdot View ViewAsComplex
    ViewAsReal Vsplit Vstack Where ZerosLike
    """,
)
classes = (
    model_classes
    | layer_classes
    | calling_classes
    | part_classes
    | value_classes
    | spec_classes
    | column_classes
    | operation_classes
)

activations = _names(
    "",
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softmax_v2 softplus softsign sparse_plus
    sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
    ELU LeakyReLU PReLU ReLU Softmax ThresholdedReLU
    """,
)
initializers = _names(
    "",
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer TruncatedNormal VarianceScaling
    Zeros constant glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal lecun_uniform normal one ones
    orthogonal random_normal random_uniform stft truncated_normal uniform variance_scaling zero zeros
    """,
)
regularizers = _names("", "L1 L1L2 L2 OrthogonalRegularizer l1 l1_l2 l2 orthogonal_regularizer")
constraints = _names(
    "",
    """
    MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm max_norm maxnorm min_max_norm non_neg nonneg radial_constraint
    unit_norm unitnorm
    """,
)
# By the end of a key: what a text under it may name.
named_by_key = {
    "activation": activations,
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}
functions = activations | initializers | regularizers | constraints

# Modules of which Keras takes classes and functions, as packages; the classes are in the tables above.
packages = frozenset(
    f"{root}.{name}" if name else root
    for root in ("keras", "keras.src", "tf_keras", "tf_keras.src", "tensorflow.keras", "tensorflow.python.keras")
    for name in (
        "",
        "activations",
        "constraints",
        "dtype_policies",
        "engine",
        "feature_column",
        "initializers",
        "layers",
        "mixed_precision",
        "models",
        "ops",
        "quantizers",
        "random",
        "regularizers",
    )
) | {
    "builtins",
    "keras.src.legacy.layers",
    "tensorflow.python.feature_column",
    "tensorflow.python.framework",
    "tensorflow.python.ops.init_ops",
    "tensorflow.python.ops.init_ops_v2",
    "tensorflow.python.ops.ragged",
}

tensor_methods = _names(
    "",
    """
    bounding_shape dense_shape flat_values indices merge_dims nested_row_lengths nested_row_splits nested_value_rowids
    nrows row_lengths row_limits row_splits row_starts to_sparse to_tensor value_rowids values with_flat_values
    with_row_splits_dtype with_values
    """,
)
class_methods = _names(
    "RaggedTensor.",
    """
    from_nested_row_lengths from_nested_row_splits from_nested_value_rowids from_row_lengths from_row_limits
    from_row_splits from_row_starts from_sparse from_tensor from_uniform_row_length from_value_rowids
    """,
)

tensorflow_functions = (
    _names(
        "",
        """
        approx_top_k arg_max arg_min argsort batch_gather batch_matmul batch_to_space batch_to_space_nd bitcast
        boolean_mask broadcast_dynamic_shape broadcast_static_shape broadcast_to cast clip_by_average_norm
        clip_by_global_norm clip_by_norm clip_by_value concat constant convert_to_tensor depth_to_space div div_no_nan
        dynamic_partition dynamic_stitch edit_distance einsum ensure_shape expand_dims extract_image_patches
        extract_volume_patches eye fftnd fill floor_div gather gather_nd guarantee_const histogram_fixed_width
        histogram_fixed_width_bins identity identity_n ifftnd irfftnd linspace meshgrid norm one_hot ones ones_like pad
        parallel_stack random_crop range rank realdiv repeat required_space_to_batch_paddings reshape reverse
        reverse_sequence rfftnd roll scatter_nd searchsorted sequence_mask setdiff1d shape shape_n size slice sort
        space_to_batch space_to_batch_nd space_to_depth sparse_matmul split squeeze stack stop_gradient strided_slice
        tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub
        tensor_scatter_nd_update tensordot tile to_bfloat16 to_complex128 to_complex64 to_double to_float to_int32
        to_int64 transpose truncatediv truncatemod tuple unique unique_with_counts unravel_index unstack where zeros
        zeros_like
        """,
    )
    | _names("__operators__.", "add and_ eq floordiv ge getitem gt le lt mod mul ne or_ pow sub truediv xor")
    | _names("audio.", "decode_wav encode_wav")
    | _names("bitwise.", "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift")
    | _names(
        "debugging.",
        """
        assert_all_finite assert_equal assert_greater assert_greater_equal assert_integer assert_less assert_less_equal
        assert_near assert_negative assert_non_negative assert_non_positive assert_none_equal assert_positive
        assert_rank assert_rank_at_least assert_rank_in assert_scalar assert_shapes assert_type check_numerics
        is_numeric_tensor
        """,
    )
    | _names("dtypes.", "cast complex saturate_cast")
    | _names(
        "experimental.numpy.",
        """
        abs absolute add all allclose amax amin angle any append arange arccos arccosh arcsin arcsinh arctan arctan2
        arctanh argmax argmin argsort around array array_equal asanyarray asarray atleast_1d atleast_2d atleast_3d
        average bitwise_and bitwise_not bitwise_or bitwise_xor broadcast_arrays broadcast_to cbrt ceil clip compress
        concatenate conj conjugate copy cos cosh count_nonzero cross cumprod cumsum deg2rad diag diag_indices diagflat
        diagonal diff divide divmod dot dsplit dstack einsum empty empty_like equal exp exp2 expand_dims expm1 eye fabs
        fix flatten flip fliplr flipud float_power floor floor_divide full full_like gcd geomspace greater
        greater_equal heaviside hsplit hstack hypot identity imag inner isclose isfinite isinf isnan isneginf isposinf
        kron lcm less less_equal linspace log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
        logical_xor logspace matmul max maximum mean meshgrid min minimum mod moveaxis multiply nanmean nanprod nansum
        ndim negative nextafter nonzero not_equal ones ones_like outer pad polyval positive power prod ptp rad2deg ravel
        real reciprocal remainder repeat reshape roll rot90 round select shape sign signbit sin sinc sinh size sort
        split sqrt square squeeze stack std subtract sum swapaxes take take_along_axis tan tanh tensordot tile trace
        transpose tri tril triu true_divide vander var vdot vsplit vstack where zeros zeros_like
        """,
    )
    | _names(
        "image.",
        """
        adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop
        combined_non_max_suppression convert_image_dtype crop_and_resize crop_to_bounding_box draw_bounding_boxes
        extract_glimpse extract_image_patches extract_patches flip_left_right flip_up_down
        generate_bounding_box_proposals grayscale_to_rgb hsv_to_rgb image_gradients non_max_suppression
        non_max_suppression_overlaps non_max_suppression_padded non_max_suppression_with_scores pad_to_bounding_box
        per_image_standardization psnr random_brightness random_contrast random_crop random_flip_left_right
        random_flip_up_down random_hue random_saturation resize resize_area resize_bicubic resize_bilinear
        resize_image_with_crop_or_pad resize_image_with_pad resize_images resize_nearest_neighbor
        resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv rot90 sobel_edges ssim
        ssim_multiscale stateless_random_brightness stateless_random_contrast stateless_random_crop
        stateless_random_flip_left_right stateless_random_flip_up_down stateless_random_hue
        stateless_random_saturation total_variation transpose transpose_image yiq_to_rgb yuv_to_rgb
        """,
    )
    | _names(
        "io.",
        """
        decode_and_crop_jpeg decode_base64 decode_bmp decode_compressed decode_csv decode_gif decode_image decode_jpeg
        decode_png decode_raw encode_base64 encode_jpeg encode_png extract_jpeg_shape is_jpeg parse_tensor
        serialize_tensor
        """,
    )
    | _names(
        "keras.backend.",
        """
        abs all any arange argmax argmin batch_dot batch_flatten batch_normalization bias_add binary_crossentropy cast
        cast_to_floatx categorical_crossentropy clip concatenate constant conv1d conv2d conv2d_transpose conv3d cos
        cumprod cumsum depthwise_conv2d dot dropout elu equal exp expand_dims eye flatten gather greater greater_equal
        hard_sigmoid in_top_k int_shape l2_normalize less less_equal log max maximum mean min minimum
        ndim not_equal one_hot ones ones_like permute_dimensions pool2d pool3d pow prod relu repeat repeat_elements
        reshape resize_images resize_volumes reverse round separable_conv2d shape sigmoid sign sin softmax softplus
        softsign sparse_categorical_crossentropy spatial_2d_padding spatial_3d_padding sqrt square squeeze stack std
        stop_gradient sum switch tanh temporal_padding tile to_dense transpose var zeros zeros_like
        """,
    )
    | _names(
        "keras.activations.",
        "elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign swish tanh",
    )
    | _names(
        "linalg.",
        """
        adjoint band_part banded_triangular_solve cholesky cholesky_solve cross det diag diag_part eig eigh
        eigh_tridiagonal eigvals eigvalsh einsum experimental.conjugate_gradient expm eye global_norm inv l2_normalize
        logdet logm lstsq lu lu_matrix_inverse lu_reconstruct lu_solve matmul matrix_rank matrix_transpose matvec norm
        normalize pinv qr set_diag slogdet solve sqrtm svd tensor_diag tensor_diag_part tensordot trace transpose
        triangular_solve tridiagonal_matmul tridiagonal_solve
        """,
    )
    | _names(
        "math.",
        """
        abs accumulate_n acos acosh add add_n angle approx_max_k approx_min_k argmax argmin asin asinh atan atan2 atanh
        bessel_i0 bessel_i0e bessel_i1 bessel_i1e betainc bincount ceil confusion_matrix conj cos cosh count_nonzero
        cumprod cumsum cumulative_logsumexp digamma divide divide_no_nan equal erf erfc erfcinv erfinv exp expm1 floor
        floordiv floormod greater greater_equal igamma igammac imag in_top_k invert_permutation is_finite is_inf is_nan
        is_non_decreasing is_strictly_increasing l2_normalize lbeta less less_equal lgamma log log1p log_sigmoid
        log_softmax logical_and logical_not logical_or logical_xor maximum minimum mod multiply multiply_no_nan ndtri
        negative nextafter not_equal polygamma polyval pow real reciprocal reciprocal_no_nan reduce_all reduce_any
        reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod reduce_std reduce_sum
        reduce_variance rint round rsqrt scalar_mul segment_max segment_mean segment_min segment_prod segment_sum
        sigmoid sign sin sinh sobol_sample softmax softplus softsign special.bessel_j0 special.bessel_j1
        special.bessel_k0 special.bessel_k0e special.bessel_k1 special.bessel_k1e special.bessel_y0 special.bessel_y1
        special.dawsn special.expint special.fresnel_cos special.fresnel_sin special.spence sqrt square
        squared_difference subtract tan tanh top_k truediv unsorted_segment_max unsorted_segment_mean
        unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum xdivy xlog1py xlogy
        zero_fraction zeta
        """,
    )
    | _names(
        "nn.",
        """
        atrous_conv2d atrous_conv2d_transpose avg_pool avg_pool1d avg_pool2d avg_pool3d
        batch_norm_with_global_normalization batch_normalization bias_add collapse_repeated compute_accidental_hits
        conv1d conv1d_transpose conv2d conv2d_backprop_input conv2d_transpose conv3d conv3d_transpose conv_transpose
        convolution crelu ctc_beam_search_decoder ctc_greedy_decoder ctc_loss ctc_unique_labels depth_to_space
        depthwise_conv2d depthwise_conv2d_native dilation2d dropout elu embedding_lookup embedding_lookup_sparse
        erosion2d experimental.general_dropout experimental.stateless_dropout fractional_avg_pool fractional_max_pool
        fused_batch_norm gelu isotonic_regression l2_loss l2_normalize leaky_relu local_response_normalization
        log_poisson_loss log_softmax lrn max_pool max_pool1d max_pool2d max_pool3d max_pool_with_argmax moments
        normalize_moments pool quantized_avg_pool quantized_conv2d quantized_max_pool quantized_relu_x relu relu6
        relu_layer safe_embedding_lookup_sparse selu separable_conv2d sigmoid sigmoid_cross_entropy_with_logits silu
        softmax softmax_cross_entropy_with_logits softmax_cross_entropy_with_logits_v2 softplus softsign space_to_batch
        space_to_depth sparse_softmax_cross_entropy_with_logits sufficient_statistics swish tanh top_k
        weighted_cross_entropy_with_logits weighted_moments with_space_to_batch xw_plus_b zero_fraction
        """,
    )
    | _names(
        "quantization.",
        """
        dequantize fake_quant_with_min_max_args fake_quant_with_min_max_vars fake_quant_with_min_max_vars_per_channel
        quantize quantize_and_dequantize quantize_and_dequantize_v2 quantized_concat
        """,
    )
    | _names(
        "ragged.",
        """
        boolean_mask constant cross cross_hashed range row_splits_to_segment_ids segment_ids_to_row_splits stack
        stack_dynamic_partitions
        """,
    )
    | _names(
        "random.",
        """
        categorical experimental.index_shuffle experimental.stateless_shuffle fold_in gamma multinomial normal poisson
        shuffle split stateless_binomial stateless_categorical stateless_gamma stateless_normal
        stateless_parameterized_truncated_normal stateless_poisson stateless_truncated_normal stateless_uniform
        truncated_normal uniform
        """,
    )
    | _names("sets.", "difference intersection size union")
    | _names(
        "signal.",
        """
        dct fft fft2d fft3d fftnd fftshift frame hamming_window hann_window idct ifft ifft2d ifft3d ifftnd ifftshift
        inverse_mdct inverse_stft irfft irfft2d irfft3d irfftnd kaiser_bessel_derived_window kaiser_window
        linear_to_mel_weight_matrix mdct mfccs_from_log_mel_spectrograms overlap_and_add rfft rfft2d rfft3d rfftnd stft
        vorbis_window
        """,
    )
    | _names(
        "sparse.",
        """
        add bincount concat cross cross_hashed expand_dims eye fill_empty_rows from_dense mask maximum minimum
        reduce_max reduce_sum reorder reset_shape reshape retain sampled_addmm segment_mean segment_sqrt_n segment_sum
        slice softmax sparse_dense_matmul split to_dense to_indicator transpose
        """,
    )
    | _names(
        "strings.",
        """
        as_string bytes_split format join length lower ngrams reduce_join regex_full_match regex_replace split strip
        substr to_hash_bucket to_hash_bucket_fast to_hash_bucket_strong to_number unicode_decode
        unicode_decode_with_offsets unicode_encode unicode_script unicode_split unicode_split_with_offsets
        unicode_transcode unsorted_segment_join upper
        """,
    )
)


def is_allowed_function(name: str) -> bool:
    """Tell whether a layer may call this function of TensorFlow's API."""
    return name.removeprefix("compat.v1.") in tensorflow_functions


def is_allowed_module(name: str) -> bool:
    """Tell whether classes may come from a module: it is a package of the table, or lies in one."""
    if name in packages:
        return True
    parts = name.split(".")
    # Not the roots: ``keras.src`` has all of Keras in it.
    places = (".".join(parts[:length]) for length in range(2, len(parts)))
    roots = {"keras.src", "tf_keras.src", "tensorflow.keras", "tensorflow.python.keras"}
    return any(place in packages and place not in roots for place in places)
