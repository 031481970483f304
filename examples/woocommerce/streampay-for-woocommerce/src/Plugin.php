<?php
/**
 * Where the plugin meets WordPress and WooCommerce: every hook is listed here.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use Automattic\WooCommerce\Blocks\Payments\Integrations\AbstractPaymentMethodType;
use Automattic\WooCommerce\Blocks\Payments\PaymentMethodRegistry;
use Automattic\WooCommerce\Utilities\FeaturesUtil;

/** Registers, and does nothing by itself. */
final class Plugin {

	public const ID = 'streampay';

	/** Add every hook; WooCommerce need not be there. */
	public static function register(): void {
		add_action( 'before_woocommerce_init', array( self::class, 'declare_compatibility' ) );
		add_filter( 'woocommerce_payment_gateways', array( self::class, 'add_gateway' ) );
		add_action( 'woocommerce_blocks_payment_method_type_registration', array( self::class, 'add_to_blocks' ) );
		add_action( 'woocommerce_api_' . self::ID, array( Webhook::class, 'serve' ) );
		add_action( 'template_redirect', array( Reconciler::class, 'on_return' ) );
		add_filter( 'woocommerce_cancel_unpaid_order', array( Reconciler::class, 'before_cancel' ), 20, 2 );
		add_action( 'init', array( Reconciler::class, 'schedule' ), 20 );
		add_action( Reconciler::HOOK, array( Reconciler::class, 'hourly' ) );
		add_action( 'wp_ajax_' . Self_Test::ACTION, array( Self_Test::class, 'serve' ) );
		add_action( 'admin_enqueue_scripts', array( Self_Test::class, 'enqueue' ) );
		add_filter( 'plugin_action_links_' . plugin_basename( PLUGIN_FILE ), array( self::class, 'add_settings_link' ) );
	}

	/** Say that orders may live in their own tables, and that the block checkout is served. */
	public static function declare_compatibility(): void {
		if ( class_exists( FeaturesUtil::class ) ) {
			FeaturesUtil::declare_compatibility( 'custom_order_tables', PLUGIN_FILE, true );
			FeaturesUtil::declare_compatibility( 'cart_checkout_blocks', PLUGIN_FILE, true );
		}
	}

	/**
	 * Add the payment method.
	 *
	 * @param list<string> $gateways Classes.
	 * @return list<string>
	 */
	public static function add_gateway( array $gateways ): array {
		$gateways[] = Gateway::class;
		return $gateways;
	}

	/**
	 * Add the payment method to the block checkout.
	 *
	 * @param PaymentMethodRegistry $registry WooCommerce's.
	 */
	public static function add_to_blocks( PaymentMethodRegistry $registry ): void {
		if ( class_exists( AbstractPaymentMethodType::class ) ) {
			$registry->register( new Blocks() );
		}
	}

	/**
	 * Add the way to the settings on the list of plugins.
	 *
	 * @param array<int|string, string> $links HTML.
	 * @return array<int|string, string>
	 */
	public static function add_settings_link( array $links ): array {
		$url  = admin_url( 'admin.php?page=wc-settings&tab=checkout&section=' . self::ID );
		$link = sprintf( '<a href="%s">%s</a>', esc_url( $url ), esc_html__( 'Settings', 'streampay-for-woocommerce' ) );
		return array_merge( array( $link ), $links );
	}

	/** Return the address to which the gateway sends its events. */
	public static function webhook_url(): string {
		return add_query_arg( 'wc-api', self::ID, home_url( '/' ) ); // The query form works with every permalink setting.
	}

	/** Stop the hourly look. */
	public static function deactivate(): void {
		if ( function_exists( 'as_unschedule_all_actions' ) ) {
			as_unschedule_all_actions( Reconciler::HOOK, array(), 'streampay' );
		}
	}
}
