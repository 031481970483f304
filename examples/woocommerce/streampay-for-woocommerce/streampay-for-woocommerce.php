<?php
/**
 * Plugin Name:          StreamPay for WooCommerce
 * Description:          Card and crypto payments through the StreamPay gateway that you run yourself.
 * Version:              0.1.0
 * Requires at least:    6.5
 * Requires PHP:         8.0
 * Requires Plugins:     woocommerce
 * WC requires at least: 8.3
 * WC tested up to:      9.4
 * Author:               The StreamPay authors
 * License:              Apache-2.0
 * License URI:          https://www.apache.org/licenses/LICENSE-2.0
 * Text Domain:          streampay-for-woocommerce
 * Domain Path:          /languages
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

defined( 'ABSPATH' ) || exit;

const VERSION = '0.1.0';
const PLUGIN_FILE = __FILE__;

// One class a file: StreamPay\WooCommerce\Order_Lock is src/Order_Lock.php.
spl_autoload_register(
	static function ( string $class ): void {
		$prefix = __NAMESPACE__ . '\\';
		if ( str_starts_with( $class, $prefix ) ) {
			$file = __DIR__ . '/src/' . substr( $class, strlen( $prefix ) ) . '.php';
			if ( is_file( $file ) ) {
				require $file;
			}
		}
	}
);

Plugin::register();
register_deactivation_hook( __FILE__, array( Plugin::class, 'deactivate' ) );
