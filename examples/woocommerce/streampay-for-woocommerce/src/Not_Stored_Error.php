<?php
/**
 * WooCommerce did not keep what it was told.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use RuntimeException;

/** Never answered with a 2xx, so that the gateway tells it again. */
final class Not_Stored_Error extends RuntimeException {}
