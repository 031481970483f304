<?php
/**
 * Removes the plugin's options when it is deleted. What stands on orders stays: it is the shop's record of its money.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

delete_option( 'woocommerce_streampay_settings' );
delete_option( 'streampay_webhook_health' );
