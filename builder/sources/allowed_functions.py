"""The functions of TensorFlow that layers of a Keras 2 model may call, reviewed one by one.

The names are those under which TensorFlow publishes them (``math.add``), as Keras 2 saves them. All compute tensors
from tensors and plain values; none takes a path, an address, or code. Names that start with ``compat.v1.`` mean the
same as those without.
"""

from __future__ import annotations


def names_of(prefix: str, text: str) -> frozenset[str]:
    """Return the words of a text, each with a prefix."""
    return frozenset(f"{prefix}{name}" for name in text.split())


tensor_methods = names_of(
    "",
    """
    bounding_shape dense_shape flat_values indices merge_dims nested_row_lengths nested_row_splits nested_value_rowids
    nrows row_lengths row_limits row_splits row_starts to_sparse to_tensor value_rowids values with_flat_values
    with_row_splits_dtype with_values
    """,
)
class_methods = names_of(
    "RaggedTensor.",
    """
    from_nested_row_lengths from_nested_row_splits from_nested_value_rowids from_row_lengths from_row_limits
    from_row_splits from_row_starts from_sparse from_tensor from_uniform_row_length from_value_rowids
    """,
)

tensorflow_functions = (
    names_of(
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
    | names_of("__operators__.", "add and_ eq floordiv ge getitem gt le lt mod mul ne or_ pow sub truediv xor")
    | names_of("audio.", "decode_wav encode_wav")
    | names_of("bitwise.", "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift")
    | names_of(
        "debugging.",
        """
        assert_all_finite assert_equal assert_greater assert_greater_equal assert_integer assert_less assert_less_equal
        assert_near assert_negative assert_non_negative assert_non_positive assert_none_equal assert_positive
        assert_rank assert_rank_at_least assert_rank_in assert_scalar assert_shapes assert_type check_numerics
        is_numeric_tensor
        """,
    )
    | names_of("dtypes.", "cast complex saturate_cast")
    | names_of(
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
    | names_of(
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
    | names_of(
        "io.",
        """
        decode_and_crop_jpeg decode_base64 decode_bmp decode_compressed decode_csv decode_gif decode_image decode_jpeg
        decode_png decode_raw encode_base64 encode_jpeg encode_png extract_jpeg_shape is_jpeg parse_tensor
        serialize_tensor
        """,
    )
    | names_of(
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
    | names_of(
        "keras.activations.",
        "elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign swish tanh",
    )
    | names_of(
        "linalg.",
        """
        adjoint band_part banded_triangular_solve cholesky cholesky_solve cross det diag diag_part eig eigh
        eigh_tridiagonal eigvals eigvalsh einsum experimental.conjugate_gradient expm eye global_norm inv l2_normalize
        logdet logm lstsq lu lu_matrix_inverse lu_reconstruct lu_solve matmul matrix_rank matrix_transpose matvec norm
        normalize pinv qr set_diag slogdet solve sqrtm svd tensor_diag tensor_diag_part tensordot trace transpose
        triangular_solve tridiagonal_matmul tridiagonal_solve
        """,
    )
    | names_of(
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
    | names_of(
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
    | names_of(
        "quantization.",
        """
        dequantize fake_quant_with_min_max_args fake_quant_with_min_max_vars fake_quant_with_min_max_vars_per_channel
        quantize quantize_and_dequantize quantize_and_dequantize_v2 quantized_concat
        """,
    )
    | names_of(
        "ragged.",
        """
        boolean_mask constant cross cross_hashed range row_splits_to_segment_ids segment_ids_to_row_splits stack
        stack_dynamic_partitions
        """,
    )
    | names_of(
        "random.",
        """
        categorical experimental.index_shuffle experimental.stateless_shuffle fold_in gamma multinomial normal poisson
        shuffle split stateless_binomial stateless_categorical stateless_gamma stateless_normal
        stateless_parameterized_truncated_normal stateless_poisson stateless_truncated_normal stateless_uniform
        truncated_normal uniform
        """,
    )
    | names_of("sets.", "difference intersection size union")
    | names_of(
        "signal.",
        """
        dct fft fft2d fft3d fftnd fftshift frame hamming_window hann_window idct ifft ifft2d ifft3d ifftnd ifftshift
        inverse_mdct inverse_stft irfft irfft2d irfft3d irfftnd kaiser_bessel_derived_window kaiser_window
        linear_to_mel_weight_matrix mdct mfccs_from_log_mel_spectrograms overlap_and_add rfft rfft2d rfft3d rfftnd stft
        vorbis_window
        """,
    )
    | names_of(
        "sparse.",
        """
        add bincount concat cross cross_hashed expand_dims eye fill_empty_rows from_dense mask maximum minimum
        reduce_max reduce_sum reorder reset_shape reshape retain sampled_addmm segment_mean segment_sqrt_n segment_sum
        slice softmax sparse_dense_matmul split to_dense to_indicator transpose
        """,
    )
    | names_of(
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
    """Return whether a layer may call this function of TensorFlow's API."""
    return name.removeprefix("compat.v1.") in tensorflow_functions
